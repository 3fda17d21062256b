// y = softmax(scale q k^T + mask) v, without a T x S matrix in memory.  arXiv:2205.14135, arXiv:2307.08691
//
// q, y, dq, dy (B, T, H, K); k, v, dk, dv (B, S, H, K); padding (B, S) or null; lse, along (B, T, H).  K is fixed when
// this is compiled.  A block of SIDE x SIDE threads has one head and one tile of rows; it walks over the tiles of the
// other side.  Thread (tx, ty) has the rows ty, ty + SIDE, ... and the columns tx, tx + SIDE, ... of every product.
// No two blocks write to one place, so the sums are the same to the last bit in every run.

#define TILE 32                       // queries, or keys, at once
#define SIDE 8
#define PER (TILE / SIDE)             // rows of a tile that one thread has
#define COLS ((K + SIDE - 1) / SIDE)  // channels that one thread has
#define WIDE (SIDE * COLS + 1)        // odd, so that threads side by side read from different banks

typedef float Tile[TILE][WIDE];
typedef float Square[TILE][TILE + 1];

// Where the rows of one head begin; the next row is H * K numbers further.
__device__ inline long long head(int rows, int H)
{
    return ((long long)(blockIdx.x / H) * rows * H + blockIdx.x % H) * K;
}

// Rows first, first + 1, ... of a head, with zeros beyond its end and beyond channel K.
__device__ inline void load(Tile tile, const float* a, int first, int rows, int H)
{
    for (int i = threadIdx.y * SIDE + threadIdx.x; i < TILE * SIDE * COLS; i += SIDE * SIDE) {
        int row = i / (SIDE * COLS), c = i % (SIDE * COLS);
        bool there = first + row < rows && c < K;
        tile[row][c] = there ? a[(long long)(first + row) * H * K + c] : 0;
    }
}

__device__ inline void store(float* a, float piece[PER][COLS], float scale, int first, int rows, int H)
{
    for (int i = 0; i < PER; i++)
        for (int j = 0; j < COLS; j++) {
            int row = first + threadIdx.y + i * SIDE, c = threadIdx.x + j * SIDE;
            if (row < rows && c < K) a[(long long)row * H * K + c] = piece[i][j] * scale;
        }
}

// piece = a b^T: every row of one tile with every row of the other
__device__ inline void dots(float piece[PER][PER], Tile a, Tile b)
{
#pragma unroll
    for (int i = 0; i < PER; i++)
#pragma unroll
        for (int j = 0; j < PER; j++) piece[i][j] = 0;
    for (int c = 0; c < K; c++)
#pragma unroll
        for (int i = 0; i < PER; i++)
#pragma unroll
            for (int j = 0; j < PER; j++)
                piece[i][j] += a[threadIdx.y + i * SIDE][c] * b[threadIdx.x + j * SIDE][c];
}

// piece += shares a: every row takes from the rows of a what its shares say
__device__ inline void gather(float piece[PER][COLS], Square shares, Tile a)
{
    for (int s = 0; s < TILE; s++)
#pragma unroll
        for (int i = 0; i < PER; i++)
#pragma unroll
            for (int j = 0; j < COLS; j++)
                piece[i][j] += shares[threadIdx.y + i * SIDE][s] * a[s][threadIdx.x + j * SIDE];
}

// Whether query t may not look at key s; the T queries are the last of the S positions.
__device__ inline bool hidden(int t, int s, int T, int S, int causal, const bool* padding)
{
    return t >= T || s >= S || (causal && s > S - T + t) || (padding && padding[s]);
}

// The SIDE threads that share a row lie side by side in one warp.
__device__ inline float row_max(float a)
{
    for (int apart = SIDE / 2; apart > 0; apart /= 2) a = fmaxf(a, __shfl_xor_sync(0xffffffff, a, apart));
    return a;
}

__device__ inline float row_sum(float a)
{
    for (int apart = SIDE / 2; apart > 0; apart /= 2) a += __shfl_xor_sync(0xffffffff, a, apart);
    return a;
}

// For each tile of keys:  y and total shrink by exp(old top - new top), then take in exp(scores - top) v.
// lse = top + log(total) is all that backward needs to find the weights again: exp(scores - lse).
extern "C" __global__ void __launch_bounds__(SIDE * SIDE)
attention_forward(const float* q, const float* k, const float* v, const bool* padding, float* y, float* lse, int H,
                  int T, int S, int causal, float scale)
{
    __shared__ Tile queries, keys, values;
    __shared__ Square weights;
    float o[PER][COLS] = {}, top[PER], total[PER] = {};
    for (int i = 0; i < PER; i++) top[i] = NEVER;
    if (padding) padding += (long long)(blockIdx.x / H) * S;

    int t0 = blockIdx.y * TILE;
    load(queries, q + head(T, H), t0, T, H);
    int end = causal ? min(S, S - T + t0 + TILE) : S;  // keys from here on are hidden from the whole tile
    for (int s0 = 0; s0 < end; s0 += TILE) {
        __syncthreads();  // nobody needs the last tile any more
        load(keys, k + head(S, H), s0, S, H);
        load(values, v + head(S, H), s0, S, H);
        __syncthreads();

        float scores[PER][PER];
        dots(scores, queries, keys);
        for (int i = 0; i < PER; i++) {
            int row = threadIdx.y + i * SIDE;
            float best = top[i], sum = 0;
            for (int j = 0; j < PER; j++) {
                bool never = hidden(t0 + row, s0 + threadIdx.x + j * SIDE, T, S, causal, padding);
                scores[i][j] = never ? NEVER : scores[i][j] * scale;
                best = fmaxf(best, scores[i][j]);
            }
            best = row_max(best);
            float safe = best == NEVER ? 0 : best;  // nothing seen yet: exp(-inf) is 0, exp(-inf + inf) is not
            float keep = expf(top[i] - safe);
            for (int j = 0; j < PER; j++) {
                float weight = expf(scores[i][j] - safe);
                weights[row][threadIdx.x + j * SIDE] = weight;
                sum += weight;
            }
            total[i] = total[i] * keep + row_sum(sum);
            top[i] = best;
            for (int j = 0; j < COLS; j++) o[i][j] *= keep;
        }
        __syncthreads();
        gather(o, weights, values);
    }

    for (int i = 0; i < PER; i++) {
        int t = t0 + threadIdx.y + i * SIDE;
        bool blind = total[i] == 0;  // a query with nothing to attend to yields zeros
        for (int j = 0; j < COLS; j++) o[i][j] = blind ? 0 : o[i][j] / total[i];
        if (threadIdx.x == 0 && t < T)
            lse[((long long)(blockIdx.x / H) * T + t) * H + blockIdx.x % H] = blind ? 0 : top[i] + logf(total[i]);
    }
    store(y + head(T, H), o, 1, t0, T, H);
}

// dscores = weights (dy v^T - along)   with   along = sum of dy y over the channels;   dq = scale dscores k
extern "C" __global__ void __launch_bounds__(SIDE * SIDE)
attention_backward_q(const float* q, const float* k, const float* v, const bool* padding, const float* dy,
                     const float* lse, const float* along, float* dq, int H, int T, int S, int causal, float scale)
{
    __shared__ Tile queries, dys, keys, values;
    __shared__ Square dscores;
    float o[PER][COLS] = {};
    if (padding) padding += (long long)(blockIdx.x / H) * S;

    int t0 = blockIdx.y * TILE;
    load(queries, q + head(T, H), t0, T, H);
    load(dys, dy + head(T, H), t0, T, H);
    int end = causal ? min(S, S - T + t0 + TILE) : S;
    for (int s0 = 0; s0 < end; s0 += TILE) {
        __syncthreads();
        load(keys, k + head(S, H), s0, S, H);
        load(values, v + head(S, H), s0, S, H);
        __syncthreads();

        float scores[PER][PER], dweights[PER][PER];
        dots(scores, queries, keys);
        dots(dweights, dys, values);
        for (int i = 0; i < PER; i++)
            for (int j = 0; j < PER; j++) {
                int row = threadIdx.y + i * SIDE, column = threadIdx.x + j * SIDE;
                long long n = ((long long)(blockIdx.x / H) * T + t0 + row) * H + blockIdx.x % H;
                bool never = hidden(t0 + row, s0 + column, T, S, causal, padding);
                float weight = never ? 0 : expf(scores[i][j] * scale - lse[n]);
                dscores[row][column] = never ? 0 : weight * (dweights[i][j] - along[n]);
            }
        __syncthreads();
        gather(o, dscores, keys);
    }
    store(dq + head(T, H), o, scale, t0, T, H);
}

// dk = scale dscores^T q,   dv = weights^T dy.  Here the block has a tile of keys, and walks over the queries.
extern "C" __global__ void __launch_bounds__(SIDE * SIDE)
attention_backward_kv(const float* q, const float* k, const float* v, const bool* padding, const float* dy,
                      const float* lse, const float* along, float* dk, float* dv, int H, int T, int S, int causal,
                      float scale)
{
    __shared__ Tile queries, dys, keys, values;
    __shared__ Square weights, dscores;  // (keys, queries)
    float o_k[PER][COLS] = {}, o_v[PER][COLS] = {};
    if (padding) padding += (long long)(blockIdx.x / H) * S;

    int s0 = blockIdx.y * TILE;
    load(keys, k + head(S, H), s0, S, H);
    load(values, v + head(S, H), s0, S, H);
    int start = causal ? max(0, s0 - (S - T)) / TILE * TILE : 0;  // no query before this sees the tile
    for (int t0 = start; t0 < T; t0 += TILE) {
        __syncthreads();
        load(queries, q + head(T, H), t0, T, H);
        load(dys, dy + head(T, H), t0, T, H);
        __syncthreads();

        float scores[PER][PER], dweights[PER][PER];
        dots(scores, keys, queries);
        dots(dweights, values, dys);
        for (int i = 0; i < PER; i++)
            for (int j = 0; j < PER; j++) {
                int row = threadIdx.y + i * SIDE, column = threadIdx.x + j * SIDE;
                long long n = ((long long)(blockIdx.x / H) * T + t0 + column) * H + blockIdx.x % H;
                bool never = hidden(t0 + column, s0 + row, T, S, causal, padding);
                float weight = never ? 0 : expf(scores[i][j] * scale - lse[n]);
                weights[row][column] = weight;
                dscores[row][column] = never ? 0 : weight * (dweights[i][j] - along[n]);
            }
        __syncthreads();
        gather(o_k, dscores, queries);
        gather(o_v, weights, dys);
    }
    store(dk + head(S, H), o_k, scale, s0, S, H);
    store(dv + head(S, H), o_v, 1, s0, S, H);
}
