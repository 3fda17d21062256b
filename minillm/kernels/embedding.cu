// dtable[id] = sum of the rows of dy whose token is id
// ids (N,) sorted, order (N,): where each of them stood; dy (N, C), dtable (V, C), zeros so far.  Where a run of equal
// ids begins, a block adds up its rows, one thread for each channel: no row of the table is written twice.

extern "C" __global__ void embedding_backward(const int* ids, const int* order, const float* dy, float* dtable, int N,
                                              int C)
{
    int n = blockIdx.x, c = blockIdx.y * blockDim.x + threadIdx.x;
    if (c >= C || (n > 0 && ids[n - 1] == ids[n])) return;
    float sum = 0;
    for (int i = n; i < N && ids[i] == ids[n]; i++) sum += dy[(long long)order[i] * C + c];
    dtable[(long long)ids[n] * C + c] = sum;
}
