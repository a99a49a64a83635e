// The floor: 2 x 2 descent as one would write it by hand in C++, factors in local arrays, one function per depth.
// Every step computes the loss and tests it against the limit, as the engines do. LANES runs go side by side.
// Compile with -O3 -march=native -DDEPTH=3 -DLANES=8; usage: floor STEPS, prints ns per step per run and the last loss.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#if LANES > 1
typedef double V __attribute__((vector_size(8 * LANES)));
static bool all_above(V value, double limit) {
    bool above = true;
    for (int lane = 0; lane < LANES; ++lane) above &= value[lane] >= limit;
    return above;
}
static double first(V value) { return value[0]; }
#else
typedef double V;
static bool all_above(V value, double limit) { return value >= limit; }
static double first(V value) { return value; }
#endif

struct Matrix { V entry[2][2]; };

static inline Matrix times(const Matrix& a, const Matrix& b) {
    Matrix c;
    for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j) c.entry[i][j] = a.entry[i][0] * b.entry[0][j] + a.entry[i][1] * b.entry[1][j];
    return c;
}

static inline Matrix transposed(const Matrix& a) { return {{{a.entry[0][0], a.entry[1][0]}, {a.entry[0][1], a.entry[1][1]}}}; }

static const double TARGET[2][2] = {{0, 1}, {1, 0}}, WEIGHT[2][2] = {{0, 1}, {1, 1}};

static long descend(Matrix* factors, double rate, double limit, long steps, V* last_loss) {
    Matrix f[DEPTH];
    for (int d = 0; d < DEPTH; ++d) f[d] = factors[d];
    V loss{};
    long step = 0;
    for (; step < steps; ++step) {
        Matrix prefix[DEPTH];
        prefix[0] = f[0];
        for (int d = 1; d < DEPTH; ++d) prefix[d] = times(prefix[d - 1], f[d]);
        Matrix signal;
        V twice{};
        for (int i = 0; i < 2; ++i)
            for (int j = 0; j < 2; ++j) {
                const V residual = prefix[DEPTH - 1].entry[i][j] - TARGET[i][j];
                signal.entry[i][j] = WEIGHT[i][j] * residual;
                twice += signal.entry[i][j] * residual;
            }
        loss = 0.5 * twice;
        if (!all_above(loss, limit)) break;
        for (int d = DEPTH - 1; d >= 0; --d) {
            const Matrix gradient = d ? times(transposed(prefix[d - 1]), signal) : signal;
            if (d) signal = times(signal, transposed(f[d]));
            for (int i = 0; i < 2; ++i)
                for (int j = 0; j < 2; ++j) f[d].entry[i][j] -= rate * gradient.entry[i][j];
        }
    }
    for (int d = 0; d < DEPTH; ++d) factors[d] = f[d];
    *last_loss = loss;
    return step;
}

int main(int, char** arguments) {
    const long steps = atol(arguments[1]);
    double best = 1e300;
    V loss{};
    for (int repeat = 0; repeat < 5; ++repeat) {
        Matrix factors[DEPTH];
        for (int d = 0; d < DEPTH; ++d)
            for (int i = 0; i < 2; ++i)
                for (int j = 0; j < 2; ++j) factors[d].entry[i][j] = V{} + (i == j ? 0.3 : 0.01 * (d + 1));
        const auto start = std::chrono::steady_clock::now();
        const long taken = descend(factors, 3e-3, 1e-300, steps, &loss);
        const double nanoseconds = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
        if (nanoseconds / taken / LANES < best) best = nanoseconds / taken / LANES;
    }
    printf("%.6g %.17g\n", best, first(loss));
}
