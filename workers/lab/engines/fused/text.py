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
typedef T Lanes;
#if defined(__clang__)
#define RANKWARD_FUSED(a, b, c) __builtin_elementwise_fma(a, b, c)
#else
#define RANKWARD_FUSED(a, b, c) ::fma(a, b, c)
#endif
#define RANKWARD_ALL(condition) (condition)
#define RANKWARD_WIDE
"""

VECTOR_TYPES = """
#pragma clang fp contract(off)
typedef $scalar T;
typedef T V __attribute__((ext_vector_type($lanes)));
typedef V Lanes;
#define RANKWARD_FUSED(a, b, c) __builtin_elementwise_fma(a, b, c)
#define RANKWARD_ALL(condition) (__builtin_reduce_and(condition) != 0)
#define RANKWARD_WIDE __attribute__((min_vector_width($vector_bits)))
"""

COLUMN_TYPES = """
#pragma clang fp contract(off)
typedef $scalar T;
typedef T V __attribute__((ext_vector_type($chunk)));
typedef T X __attribute__((ext_vector_type($vector), aligned(32)));
typedef T Lanes;
#define RANKWARD_FUSED(a, b, c) __builtin_elementwise_fma(a, b, c)
#define RANKWARD_ALL(condition) (condition)
#define RANKWARD_WIDE __attribute__((min_vector_width($vector_bits)))
"""

BLOCK = """
typedef long long Count;
constexpr int LANES = $lanes, ENTRIES = $entries, SLOTS = $slots, CELLS = $cells, CONSTANTS = $constant_count;
constexpr int DECADES = $decades, MILESTONES = $milestones;
constexpr int $statuses;

struct Block {
    Lanes state[SLOTS * ENTRIES], target[CELLS], weight[CELLS], constant[CONSTANTS];
    $work

    $functions
    static CUDA_CALLABLE V fused(V a, V b, V c) { return RANKWARD_FUSED(a, b, c); }
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

    // Take steps while every lane's twice loss is finite and not below `low`; returns how many were taken.
    RANKWARD_WIDE __attribute__((noinline)) CUDA_CALLABLE Count descend(Lanes low, Count steps) {
        $load
        $constants
        const Lanes largest = Lanes(T($largest));
        Count taken = 0;
        for (; taken < steps; ++taken) {
            $forward
            $signal
            $loss
            if (!RANKWARD_ALL((twice >= low) & (twice <= largest))) break;
            $backward
            $update
        }
        $store
        return taken;
    }

    // Zero a lane: it goes on with the others, computing zeros that never stop the block.
    CUDA_CALLABLE void park(int number) {
        for (int n = 0; n < SLOTS * ENTRIES; ++n) lane(state[n], number) = T(0);
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
    for (int n = 0; n < SLOTS * ENTRIES; ++n)
        Block::lane(now.state[n], l) = runs.states.data[Count(run) * SLOTS * ENTRIES + n];
    for (int n = 0; n < CELLS; ++n) {
        Block::lane(now.target[n], l) = runs.targets.data[Count(run) * CELLS + n];
        Block::lane(now.weight[n], l) = runs.weights.data[Count(run) * CELLS + n];
    }
    for (int n = 0; n < CONSTANTS; ++n)
        Block::lane(now.constant[n], l) = runs.constants.data[Count(run) * CONSTANTS + n];
    if (runs.status.data[run] == OVER) now.park(l);
}

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
            }
            if (loss < runs.limits.data[run]) outcome = CONVERGED;
            else if (!Block::finite(loss)) outcome = DIVERGED;
        }
        if (outcome == GOING && step >= runs.last_steps.data[run]) outcome = EXHAUSTED;
        runs.status.data[run] = outcome;
        runs.losses.data[run] = loss;
        if (outcome != GOING || left == 0) {
            for (int n = 0; n < SLOTS * ENTRIES; ++n)
                runs.states.data[Count(run) * SLOTS * ENTRIES + n] = Block::lane(now.state[n], l);
        }
        if (outcome != GOING) {
            now.park(l);
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
    Count taken = now.descend(low, length);
    twice = now.twice_loss();
    bool broken = false;
    for (int l = 0; l < LANES; ++l) broken = broken || !Block::finite(T(0.5) * Block::lane(twice, l));
    // Lanes that left the finite numbers keep their last finite state: the same steps again, but for the last.
    if (broken) {
        Lanes after = twice;
        now = before;
        taken = taken > 0 ? now.descend(low, taken - 1) : 0;
        twice = now.twice_loss();
        for (int l = 0; l < LANES; ++l) {
            const int run = first + l;
            if (runs.status.data[run] != GOING) continue;
            runs.taken_steps.data[run] += taken;
            if (Block::finite(T(0.5) * Block::lane(after, l))) continue;
            runs.status.data[run] = DIVERGED;
            runs.losses.data[run] = T(0.5) * Block::lane(twice, l);
            for (int n = 0; n < SLOTS * ENTRIES; ++n)
                runs.states.data[Count(run) * SLOTS * ENTRIES + n] = Block::lane(now.state[n], l);
            now.park(l);
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
