"""The fixed parts of the fused engine's C++ source: templates that `source` fills in.

V is what a statement of a step computes with: numbers of all lanes of a block, or some columns of a row. Lanes has one
number for each lane, X is a vector of a product by columns. RANKWARD_WIDE lets a function use the widest vectors: for
many processors with AVX-512 the compiler prefers those of 32 bytes, and splits longer ones.
"""

UNROLL, KEEP_ROLLED = '_Pragma("unroll")', '_Pragma("unroll 1")'

TYPES = """
#if defined(__clang__)
#pragma clang fp contract(off)
#endif
typedef $scalar T;
typedef T V;
typedef $whole Whole;
typedef T Lanes;
#if defined(__clang__)
#define RANKWARD_FUSED(a, b, c) __builtin_elementwise_fma(a, b, c)
#define RANKWARD_ROOT(a) __builtin_elementwise_sqrt(a)
#else
#define RANKWARD_FUSED(a, b, c) ::fma(a, b, c)
#define RANKWARD_ROOT(a) ::sqrt(a)
#endif
#define RANKWARD_SINGLE(a) T(static_cast<float>(a))
#define RANKWARD_ALL(condition) (condition)
#define RANKWARD_WIDE
"""

VECTOR_TYPES = """
#pragma clang fp contract(off)
typedef $scalar T;
typedef T V __attribute__((ext_vector_type($lanes)));
typedef $whole Whole __attribute__((ext_vector_type($lanes)));
typedef V Lanes;
typedef float Singles __attribute__((ext_vector_type($lanes)));
#define RANKWARD_FUSED(a, b, c) __builtin_elementwise_fma(a, b, c)
#define RANKWARD_ROOT(a) __builtin_elementwise_sqrt(a)
#define RANKWARD_SINGLE(a) __builtin_convertvector(__builtin_convertvector(a, Singles), V)
#define RANKWARD_ALL(condition) (__builtin_reduce_and(condition) != 0)
#define RANKWARD_WIDE __attribute__((min_vector_width($vector_bits)))
"""

COLUMN_TYPES = """
#pragma clang fp contract(off)
typedef $scalar T;
typedef T V __attribute__((ext_vector_type($chunk)));
typedef $whole Whole __attribute__((ext_vector_type($chunk)));
typedef T X __attribute__((ext_vector_type($vector), aligned(32)));
typedef T Lanes;
#define RANKWARD_FUSED(a, b, c) __builtin_elementwise_fma(a, b, c)
#define RANKWARD_ROOT(a) __builtin_elementwise_sqrt(a)
#define RANKWARD_SINGLE(a) T(static_cast<float>(a))
#define RANKWARD_ALL(condition) (condition)
#define RANKWARD_WIDE __attribute__((min_vector_width($vector_bits)))
"""

BLOCK = """
typedef long long Count;
constexpr int LANES = $lanes, ENTRIES = $entries, STATE = $state, CELLS = $cells, CONSTANTS = $constant_count;
constexpr int TABLES = $table_count, TIMES = $times;
constexpr int DECADES = $decades, MILESTONES = $milestones;
constexpr int WIDTH = sizeof(V) / sizeof(T);
constexpr int $statuses;

struct Block {
    Lanes state[STATE], target[CELLS], weight[CELLS], constant[CONSTANTS > 0 ? CONSTANTS : 1];
    $tables
    $measured
    $work

    $functions
    static CUDA_CALLABLE V fused(V a, V b, V c) { return RANKWARD_FUSED(a, b, c); }
    static CUDA_CALLABLE V sign_of(V value) {
        const V zero = V(T(0)), unit = V(T(1)), negative = V(T(-1));
        return value > zero ? unit : (value < zero ? negative : zero);
    }
    $loss_functions
    static CUDA_CALLABLE Lanes single(Lanes a) { return RANKWARD_SINGLE(a); }
    static CUDA_CALLABLE T& lane(Lanes& vector, int number) { return ((T*)&vector)[number]; }
    static CUDA_CALLABLE bool finite(T value) { return value <= T($largest); }

    // Twice the loss of every lane at the state as it is.
    RANKWARD_WIDE __attribute__((noinline)) CUDA_CALLABLE Lanes twice_loss() const {
        $load
        $forward
        $signal
        $loss
        return twice;
    }

    // Take steps while every lane's twice loss is finite and not below `low`; returns how many were taken. `from` is
    // how many steps the launch took before.
    RANKWARD_WIDE __attribute__((noinline)) CUDA_CALLABLE Count descend(Lanes low, Count steps, Count from) {
        $load
        $constants
        const Lanes largest = Lanes(T($largest));
        Count taken = 0;
        for (; taken < steps; ++taken) {
            $forward
            $signal
            $loss
            if (!RANKWARD_ALL((twice >= low) & (twice <= largest))) break;
            $disturb
            $backward
            $update
        }
        $store
        return taken;
    }

    // Zero a lane: it goes on with the others, computing zeros that never stop the block.
    CUDA_CALLABLE void park(int number, const T* zeros) {
        $park_tables
        for (int n = 0; n < STATE; ++n) lane(state[n], number) = T(0);
        for (int n = 0; n < CELLS; ++n) lane(target[n], number) = lane(weight[n], number) = T(0);
    }
};
"""

ADVANCE = """
// Load the lanes of this block; those that are over, or only fill it up, are parked.
const int first = block * LANES;
$storage
Lanes low, twice;
for (int l = 0; l < LANES; ++l) {
    const int run = first + l;
    for (int n = 0; n < STATE; ++n)
        Block::lane(now.state[n], l) = runs.states.data[Count(run) * STATE + n];
    for (int n = 0; n < CELLS; ++n) {
        Block::lane(now.target[n], l) = runs.targets.data[Count(run) * CELLS + n];
        Block::lane(now.weight[n], l) = runs.weights.data[Count(run) * CELLS + n];
    }
    for (int n = 0; n < CONSTANTS; ++n)
        Block::lane(now.constant[n], l) = runs.constants.data[Count(run) * CONSTANTS + n];
    $table_rows
    $measured_rows
    if (runs.status.data[run] == OVER) now.park(l, runs.tables.data);
}
$shared_rows
$measured_alike

// Go on from event to event; what happens at events is outside the loop over steps and may take its time.
Count left = steps;
bool arrived = true;  // whether the lanes stand at a state that has not been looked at
for (;;) {
    twice = now.twice_loss();
    bool going = false, blind = false;
    Count length = left;
    for (int l = 0; l < LANES; ++l) {
        const int run = first + l;
        Block::lane(low, l) = T(0);
        if (runs.status.data[run] != FRESH && runs.status.data[run] != GOING) continue;

        // A state that was just reached: milestones, the schedule, and whether the run is over.
        const T doubled = Block::lane(twice, l), loss = T(0.5) * doubled;
        const Count step = runs.taken_steps.data[run];
        int outcome = GOING;
        if (arrived && (left < steps || runs.status.data[run] == FRESH)) {
            while (runs.reached.data[run] < DECADES && loss < runs.thresholds.data[runs.reached.data[run]])
                runs.milestones.data[Count(run) * MILESTONES + runs.reached.data[run]++] = step;
            if (runs.due.data[run] < runs.due_end.data[run] && runs.due_steps.data[runs.due.data[run]] == step) {
                const Count point = runs.due.data[run]++;
                runs.due_losses.data[point] = loss;
                for (int n = 0; n < ENTRIES; ++n)
                    runs.due_factors.data[point * ENTRIES + n] = Block::lane(now.state[n], l);
                for (int n = 0; n < TIMES; ++n)
                    runs.due_times.data[point * TIMES + n] = Block::lane(now.state[STATE - TIMES + n], l);
            }
            if (loss < runs.limits.data[run]) outcome = CONVERGED;
            else if (!Block::finite(loss)) outcome = DIVERGED;
        }
        if (outcome == GOING && step >= runs.last_steps.data[run]) outcome = EXHAUSTED;
        runs.status.data[run] = outcome;
        runs.losses.data[run] = loss;
        if (outcome != GOING || left == 0) {
            for (int n = 0; n < STATE; ++n)
                runs.states.data[Count(run) * STATE + n] = Block::lane(now.state[n], l);
        }
        if (outcome != GOING) {
            now.park(l, runs.tables.data);
            continue;
        }
        going = true;
        if (runs.last_steps.data[run] - step < length) length = runs.last_steps.data[run] - step;
        if (runs.due.data[run] < runs.due_end.data[run] && runs.due_steps.data[runs.due.data[run]] - step < length)
            length = runs.due_steps.data[runs.due.data[run]] - step;
        const T next = runs.thresholds.data[runs.reached.data[run]], limit = runs.limits.data[run];
        Block::lane(low, l) = T(2) * (next > limit ? next : limit);
        blind = blind || doubled < Block::lane(low, l);
    }
    if (!going || left == 0) break;

    // A run that goes on from below its own limit: its state was tested before, so the next step is taken untested.
    if (blind) {
        length = 1;
        for (int l = 0; l < LANES; ++l) Block::lane(low, l) = T(0);
    }
    before = now;
    Count taken = now.descend(low, length, steps - left);
    twice = now.twice_loss();
    bool broken = false;
    for (int l = 0; l < LANES; ++l) broken = broken || !Block::finite(T(0.5) * Block::lane(twice, l));
    // Lanes that left the finite numbers keep their last finite state: the same steps again, but for the last.
    if (broken) {
        Lanes after = twice;
        now = before;
        taken = taken > 0 ? now.descend(low, taken - 1, steps - left) : 0;
        twice = now.twice_loss();
        for (int l = 0; l < LANES; ++l) {
            const int run = first + l;
            if (runs.status.data[run] != GOING) continue;
            runs.taken_steps.data[run] += taken;
            if (Block::finite(T(0.5) * Block::lane(after, l))) continue;
            runs.status.data[run] = DIVERGED;
            runs.losses.data[run] = T(0.5) * Block::lane(twice, l);
            for (int n = 0; n < STATE; ++n)
                runs.states.data[Count(run) * STATE + n] = Block::lane(now.state[n], l);
            now.park(l, runs.tables.data);
        }
        left -= taken;
        arrived = false;
        continue;
    }
    for (int l = 0; l < LANES; ++l)
        if (runs.status.data[first + l] == GOING) runs.taken_steps.data[first + l] += taken;
    left -= taken;
    arrived = true;
}
"""

TABLES = """const T* table[TABLES][LANES];
    Count stride[TABLES][LANES];
    bool is_shared[TABLES];

    // The numbers of the lanes in a table, at a step of the launch, where they differ; those at place n of a step.
    CUDA_CALLABLE Lanes numbers_at(int number, Count at, int n = 0) const {
        Lanes out;
        for (int l = 0; l < LANES; ++l) lane(out, l) = table[number][l][stride[number][l] * at + n];
        return out;
    }
"""
"""The tables of a block: where the numbers of each lane begin, and whether all lanes read the same."""

TABLE_ROWS = """for (int i = 0; i < TABLES; ++i) {
        now.table[i][l] = runs.tables.data + runs.table_begins.data[Count(run) * TABLES + i];
        now.stride[i][l] = runs.table_strides.data[Count(run) * TABLES + i];
    }
"""

SHARED_ROWS = """for (int i = 0; i < TABLES; ++i) {
    now.is_shared[i] = true;
    for (int l = 1; l < LANES; ++l)
        if (now.table[i][l] != now.table[i][0] || now.stride[i][l] != now.stride[i][0]) now.is_shared[i] = false;
}
"""

MEASURED = """const T* measured[LANES];
    bool is_measured_alike;

    // The numbers of the lanes in their measurements, where those differ.
    CUDA_CALLABLE V measured_at(int at) const {
        Lanes out;
        for (int l = 0; l < LANES; ++l) lane(out, l) = measured[l][at];
        return out;
    }
"""
"""The linear measurements of a block: where those of each lane begin, and whether all lanes have the same."""

MEASURED_ROWS = "now.measured[l] = runs.measurements.data + runs.measurement_begins.data[run];"

MEASURED_ALIKE = """now.is_measured_alike = true;
for (int l = 1; l < LANES; ++l)
    if (now.measured[l] != now.measured[0]) now.is_measured_alike = false;
"""
