// m moves towards dw, and v towards dw^2, by 1 - b1 and 1 - b2 of the way; then
// w = shrink w - stride m / (root sqrt(v) + eps)
// with shrink = 1 - rate decay, stride = rate / (1 - b1^step), root = 1 / sqrt(1 - b2^step).  All vectors are (n,).

extern "C" __global__ void adamw(float* w, const float* dw, float* m, float* v, long long n, float to_m, float to_v,
                                 float shrink, float stride, float root, float eps)
{
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    m[i] += to_m * (dw[i] - m[i]);
    v[i] += to_v * (dw[i] * dw[i] - v[i]);
    w[i] = shrink * w[i] - stride * (m[i] / (root * sqrtf(v[i]) + eps));
}
