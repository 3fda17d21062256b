// Enough of CUDA for a C++ compiler: every thread of a kernel is a fiber, and they take turns on the CPU.
//
// A turn lasts until the thread ends or waits: at __syncthreads() for its block, in a shuffle for its warp. Who comes
// next is drawn at random, so that a race shows as a wrong number. Shared memory is full of NaN when a block begins.
// A wait that cannot end (a thread of the warp is gone, or waits for something else) is an error.

#include <math.h>
#include <string.h>
#include <ucontext.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#define __global__
#define __device__
#define __launch_bounds__(n)
#define __shared__ static __attribute__((section("shared_memory")))
extern "C" {
extern char __start_shared_memory[] __attribute__((weak));
extern char __stop_shared_memory[] __attribute__((weak));
}

using std::max;
using std::min;

struct Index {
    unsigned x, y, z;
};
static Index threadIdx, blockIdx, blockDim, gridDim;

inline float __int_as_float(unsigned bits)
{
    float a;
    memcpy(&a, &bits, 4);
    return a;
}

enum State { READY, AT_BARRIER, IN_SHUFFLE, DONE };

struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(1 << 17);
    State state;
    Index index;
    unsigned partner;        // in a shuffle: whose number it wants
    float given, received;
};

static std::vector<Fiber> fibers;
static Fiber* now;
static ucontext_t scheduler;
static std::function<void()> kernel_call;

static void wait_as(State state)
{
    now->state = state;
    swapcontext(&now->context, &scheduler);
}

inline void __syncthreads() { wait_as(AT_BARRIER); }

inline float __shfl_xor_sync(unsigned mask, float given, int apart)
{
    Fiber* me = now;
    unsigned number = me - fibers.data();
    me->given = mask == 0xffffffff ? given : NAN;
    me->partner = number / 32 * 32 + ((number % 32) ^ apart);
    wait_as(IN_SHUFFLE);
    return me->received;
}

static void live()
{
    kernel_call();
    now->state = DONE;
    swapcontext(&now->context, &scheduler);
}

static bool release_warps(unsigned threads)
{
    bool released = false;
    for (unsigned first = 0; first < threads; first += 32) {
        unsigned waiting = 0;
        for (unsigned i = first; i < min(first + 32, threads); i++) waiting += fibers[i].state == IN_SHUFFLE;
        if (waiting < 32) continue;
        for (unsigned i = first; i < first + 32; i++) fibers[i].received = fibers[fibers[i].partner].given;
        for (unsigned i = first; i < first + 32; i++) fibers[i].state = READY;
        released = true;
    }
    return released;
}

static bool release_block(unsigned threads)
{
    for (unsigned i = 0; i < threads; i++)
        if (fibers[i].state != AT_BARRIER && fibers[i].state != DONE) return false;
    for (unsigned i = 0; i < threads; i++)
        if (fibers[i].state == AT_BARRIER) fibers[i].state = READY;
    return true;
}

static bool run_block(std::mt19937& random)
{
    unsigned threads = blockDim.x * blockDim.y;
    if (__start_shared_memory) memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
    for (unsigned i = 0; i < threads; i++) {
        Fiber& fiber = fibers[i];
        fiber.state = READY;
        fiber.index = {i % blockDim.x, i / blockDim.x, 0};
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, live, 0);
    }
    std::vector<Fiber*> ready;
    while (true) {
        ready.clear();
        unsigned done = 0;
        for (unsigned i = 0; i < threads; i++) {
            done += fibers[i].state == DONE;
            if (fibers[i].state == READY) ready.push_back(&fibers[i]);
        }
        if (done == threads) return true;
        if (ready.empty() && !release_warps(threads) && !release_block(threads)) return false;
        std::shuffle(ready.begin(), ready.end(), random);
        for (Fiber* fiber : ready) {
            now = fiber;
            threadIdx = fiber->index;
            swapcontext(&scheduler, &fiber->context);
        }
    }
}

// Run a kernel; returns 0, or 1 if threads waited for each other for ever.
static int run(Index grid, Index block, unsigned seed, std::function<void()> call)
{
    std::mt19937 random(seed);
    gridDim = grid, blockDim = block, kernel_call = call;
    fibers.resize(std::max<size_t>(fibers.size(), block.x * block.y));
    std::vector<Index> blocks;
    for (unsigned y = 0; y < grid.y; y++)
        for (unsigned x = 0; x < grid.x; x++) blocks.push_back({x, y, 0});
    std::shuffle(blocks.begin(), blocks.end(), random);
    for (Index index : blocks) {
        blockIdx = index;
        if (!run_block(random)) return 1;
    }
    return 0;
}
