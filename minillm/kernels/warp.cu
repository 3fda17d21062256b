// A warp is 32 threads that run together and can read each other's numbers without a detour through memory.
// Begins every other file here.  All 32 threads of a warp must call these.

#define NEVER __int_as_float(0xff800000)  // -infinity

__device__ inline float warp_sum(float a)
{
    for (int apart = 16; apart > 0; apart /= 2) a += __shfl_xor_sync(0xffffffff, a, apart);
    return a;  // every thread has the whole sum, added in the same order in every run
}

__device__ inline float warp_max(float a)
{
    for (int apart = 16; apart > 0; apart /= 2) a = fmaxf(a, __shfl_xor_sync(0xffffffff, a, apart));
    return a;
}
