// loss = log(sum exp z) - wanted   with   wanted = (1 - smoothing) z[target] + smoothing mean(z)
// logits z (N, V), targets, losses, tops and totals (N,).  One warp for each row; the block is (32, rows).
// A target outside the vocabulary makes NaN.

extern "C" __global__ void cross_entropy_forward(const float* logits, const int* targets, float* losses, float* tops,
                                                 float* totals, int N, int V, float smoothing)
{
    int n = blockIdx.x * blockDim.y + threadIdx.y;
    if (n >= N) return;
    const float* z = logits + (long long)n * V;
    int target = targets[n];

    float top = NEVER;
    for (int i = threadIdx.x; i < V; i += 32) top = fmaxf(top, z[i]);
    top = warp_max(top);  // taken off first, so that nothing can overflow

    float total = 0, sum = 0;
    for (int i = threadIdx.x; i < V; i += 32) {
        total += expf(z[i] - top);
        sum += z[i] - top;
    }
    total = warp_sum(total);
    sum = warp_sum(sum);

    if (threadIdx.x == 0) {
        float wanted = 0 <= target && target < V ? z[target] - top : NEVER - NEVER;
        if (smoothing > 0) wanted = (1 - smoothing) * wanted + smoothing * sum / V;
        losses[n] = logf(total) - wanted;
        tops[n] = top;
        totals[n] = total;
    }
}

// dlogits = (softmax(z) - smoothing / V - (1 - smoothing) [i = target]) dloss: what we said minus what happened
extern "C" __global__ void cross_entropy_backward(const float* logits, const int* targets, const float* tops,
                                                  const float* totals, const float* dlosses, float* dlogits, int N,
                                                  int V, float smoothing)
{
    int n = blockIdx.x * blockDim.y + threadIdx.y;
    if (n >= N) return;
    const float* z = logits + (long long)n * V;
    float* dz = dlogits + (long long)n * V;
    for (int i = threadIdx.x; i < V; i += 32) {
        float d = expf(z[i] - tops[n]) / totals[n] - smoothing / V;
        if (i == targets[n]) d -= 1 - smoothing;
        dz[i] = d * dlosses[n];
    }
}
