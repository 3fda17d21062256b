// y = g xhat + b   with   xhat = (x - mean) rstd   and   rstd = 1 / sqrt(var + eps)
// x, y (N, C); g, b (C,); mean, rstd (N,).  One warp for each row; the block is (32, rows).

extern "C" __global__ void layer_norm_forward(const float* x, const float* g, const float* b, float* y, float* mean,
                                              float* rstd, int N, int C, float eps)
{
    int n = blockIdx.x * blockDim.y + threadIdx.y;
    if (n >= N) return;
    x += (long long)n * C;
    y += (long long)n * C;

    float sum = 0;
    for (int c = threadIdx.x; c < C; c += 32) sum += x[c];
    float m = warp_sum(sum) / C;

    float squares = 0;
    for (int c = threadIdx.x; c < C; c += 32) squares += (x[c] - m) * (x[c] - m);
    float r = 1 / sqrtf(warp_sum(squares) / C + eps);

    for (int c = threadIdx.x; c < C; c += 32) y[c] = g[c] * ((x[c] - m) * r) + b[c];
    if (threadIdx.x == 0) {
        mean[n] = m;
        rstd[n] = r;
    }
}

// dx = rstd (dxhat - mean(dxhat) - xhat mean(dxhat xhat))   with   dxhat = g dy
extern "C" __global__ void layer_norm_backward_x(const float* x, const float* g, const float* dy, const float* mean,
                                                 const float* rstd, float* dx, int N, int C)
{
    int n = blockIdx.x * blockDim.y + threadIdx.y;
    if (n >= N) return;
    x += (long long)n * C;
    dy += (long long)n * C;
    dx += (long long)n * C;
    float m = mean[n], r = rstd[n];

    float sum = 0, along = 0;
    for (int c = threadIdx.x; c < C; c += 32) {
        float dxhat = dy[c] * g[c];
        sum += dxhat;
        along += dxhat * ((x[c] - m) * r);
    }
    sum = warp_sum(sum) / C;
    along = warp_sum(along) / C;

    for (int c = threadIdx.x; c < C; c += 32) dx[c] = r * (dy[c] * g[c] - sum - (x[c] - m) * r * along);
}

// dg = sum of dy xhat over the rows, db = sum of dy.  The block is (32 channels, 8 rows); part p of P adds up every
// P-th eight rows into row p of dg and db (P, C), which are added later: no two threads ever add to one place, so the
// sums are the same to the last bit in every run.
extern "C" __global__ void layer_norm_backward_gb(const float* x, const float* dy, const float* mean,
                                                  const float* rstd, float* dg, float* db, int N, int C)
{
    __shared__ float sums[2][8][32];
    int c = blockIdx.x * 32 + threadIdx.x;
    float sum_g = 0, sum_b = 0;
    if (c < C)
        for (int n = blockIdx.y * 8 + threadIdx.y; n < N; n += gridDim.y * 8) {
            long long i = (long long)n * C + c;
            sum_g += dy[i] * ((x[i] - mean[n]) * rstd[n]);
            sum_b += dy[i];
        }
    sums[0][threadIdx.y][threadIdx.x] = sum_g;
    sums[1][threadIdx.y][threadIdx.x] = sum_b;
    __syncthreads();

    if (threadIdx.y == 0 && c < C) {
        for (int row = 1; row < 8; row++) {
            sum_g += sums[0][row][threadIdx.x];
            sum_b += sums[1][row][threadIdx.x];
        }
        dg[blockIdx.y * C + c] = sum_g;
        db[blockIdx.y * C + c] = sum_b;
    }
}
