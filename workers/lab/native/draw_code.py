"""The C++ of draws (`workers.lab.native.draws`).

The words of Philox4x64-10 are products of integers. Normal numbers are sums, products, quotients and roots of whole
vectors, in the order of `workers.runs.normals` and each rounded by itself, so they have its bits. Numbers in the tails
are set apart and computed together: they are every seventh, and nearly every vector has one.
"""

from collections.abc import Sequence
from functools import lru_cache
from string import Template

from workers.runs import normals

SCALARS = {"float64": "double", "float32": "float"}

KINDS = ("normal", "rademacher", "order", "replacement")

FIELDS = (
    *("kind", "seed", "stream", "counter", "counter_high", "left", "count", "words", "numbers", "batch", "scale"),
    *("places", "repeats", "width", "out", "memory"),
)
"""What the code reads of each row, as 64-bit integers: numbers, addresses, and the bits of the scale."""

SOURCE = """
#pragma clang fp contract(off)
typedef $scalar T;
typedef unsigned long long Word;
typedef long long Count;
constexpr int WIDTH = $width, CHUNK = 512;
typedef double D __attribute__((ext_vector_type($width), aligned(8)));
typedef Word U __attribute__((ext_vector_type($width), aligned(8)));
#define WIDE __attribute__((noinline, min_vector_width($vector_bits)))
#define INLINE __attribute__((always_inline))
enum { $fields, FIELDS };
enum { $kinds };

struct Code {
    union Bits { D number; U word; };
    struct Sample { Word word; Count number; };

    // Philox4x64-10 (Salmon, Moraes, Dror and Shaw 2011).
    static INLINE void block(unsigned __int128 counter, Word key, Word stream, Word* out) {
        Word a = Word(counter), b = Word(counter >> 64), c = 0, d = 0;
        _Pragma("unroll") for (int round = 0; round < 10; ++round) {
            const unsigned __int128 left = (unsigned __int128)0xD2E7470EE14C6C93ull * a;
            const unsigned __int128 right = (unsigned __int128)0xCA5A826395121157ull * c;
            a = Word(right >> 64) ^ b ^ key;
            b = Word(right);
            c = Word(left >> 64) ^ d ^ stream;
            d = Word(left);
            key += 0x9E3779B97F4A7C15ull;
            stream += 0xBB67AE8584CAA73Bull;
        }
        out[0] = a; out[1] = b; out[2] = c; out[3] = d;
    }

    static INLINE D central(D at) { $central return above / below; }
    static INLINE D middle(D at) { $middle return above / below; }
    static INLINE D far(D at) { $far return above / below; }

    // The words as their distance from 1/2: the upper 52 bits are the digits of a number from 1 to 2.
    static INLINE D distance(U words) {
        Bits one;
        one.word = (words >> 12) | U(0x3ff0000000000000ull);
        return (one.number - D(1.5)) + D(0x1p-53);
    }

    static INLINE D logarithm(D at) {
        Bits bits, exponent, origin;
        bits.number = at;
        origin.number = D(0x1.8p52);
        exponent.word = origin.word + (bits.word >> 52) - U(1022);
        bits.word = (bits.word & U(0x000fffffffffffffull)) | U(0x3fe0000000000000ull);
        D fraction = bits.number, power = exponent.number - origin.number;
        const D doubled = fraction + fraction, less = power - D(1.0);
        power = fraction < D($root_half) ? less : power;
        fraction = fraction < D($root_half) ? doubled : fraction;
        const D z = (fraction - D(1.0)) / (fraction + D(1.0));
        at = z * z;
        $series
        return power * D($log2) + z * value;
    }

    static INLINE D in_tail(D away) {
        Bits size, sign;
        sign.number = size.number = away;
        sign.word &= U(0x8000000000000000ull);
        size.word &= U(0x7fffffffffffffffull);
        const D root = __builtin_elementwise_sqrt(-logarithm(D(0.5) - size.number));
        D value = middle(root - D(1.6));
        if (__builtin_reduce_or(root > D(5.0))) {
            const D rare = far(root - D(5.0));
            value = root > D(5.0) ? rare : value;
        }
        size.number = value;
        size.word = (size.word & U(0x7fffffffffffffffull)) | sign.word;
        return size.number;
    }

    // Normal numbers of words; both have space for whole vectors.
    static WIDE void normals(const Word* words, Count count, double* out) {
        double away[CHUNK + WIDTH];
        Count tails[CHUNK + 1], found = 0;
        for (Count n = 0; n < count; n += WIDTH) {
            const D at = distance(*(const U*)(words + n));
            *(D*)(out + n) = at * central(D(0.180625) - at * at);
            *(D*)(away + n) = at;
        }
        for (Count n = 0; n < count; ++n) {
            tails[found] = n;
            found += (away[n] > 0.425) | (away[n] < -0.425);
        }
        for (Count n = 0; n < found; ++n) away[n] = away[tails[n]];
        for (Count n = found; n % WIDTH; ++n) away[n] = 0.45;
        for (Count n = 0; n < found; n += WIDTH) *(D*)(away + n) = in_tail(*(const D*)(away + n));
        for (Count n = 0; n < found; ++n) out[tails[n]] = away[n];
    }

    static INLINE bool before(const Sample& left, const Sample& right) {
        return left.word < right.word || (left.word == right.word && left.number < right.number);
    }

    // Samples in the order of their words, by insertion in runs of 16, which are then merged.
    static Sample* sorted(Sample* from, Sample* to, Count count) {
        for (Count begin = 0; begin < count; begin += 16)
            for (Count n = begin + 1; n < count && n < begin + 16; ++n) {
                const Sample moved = from[n];
                Count at = n;
                for (; at > begin && before(moved, from[at - 1]); --at) from[at] = from[at - 1];
                from[at] = moved;
            }
        for (Count length = 16; length < count; length *= 2) {
            for (Count begin = 0; begin < count; begin += 2 * length) {
                const Count middle = begin + length < count ? begin + length : count;
                const Count end = middle + length < count ? middle + length : count;
                Count left = begin, right = middle;
                for (Count n = begin; n < end; ++n) {
                    const bool is_left = left < middle && (right == end || before(from[left], from[right]));
                    to[n] = is_left ? from[left++] : from[right++];
                }
            }
            Sample* const swapped = from;
            from = to;
            to = swapped;
        }
        return from;
    }
};

const Count* const c = (const Count*)call + Count(run) * FIELDS;
const Count blocks = (c[words] + 3) / 4, of_step = c[numbers], again = c[repeats], wide = c[width];
const Count* const at = (const Count*)c[places];
unsigned __int128 counter_ = ((unsigned __int128)Word(c[counter_high]) << 64) | Word(c[counter]);
T* row = (T*)c[out];
double scale_;
__builtin_memcpy(&scale_, c + scale, sizeof(double));
const auto put = [&](Count number, double value) INLINE {
    if (!at) { row[number] = T(value); return; }
    for (Count n = 0; n < again; ++n) row[at[number * again + n]] = T(value);
};
const auto times = [&](Count number) INLINE { return double(row[at ? at[number * again] : number]); };

if (c[kind] == normal) {
    Word drawn[CHUNK + 8];
    double values[CHUNK + 8];
    Count waiting = 0;
    Count number = 0;
    for (Count step = 0; step < c[count]; ++step)
        for (Count n = 0; n < blocks; ++n) {
            Code::block(counter_++, Word(c[seed]), Word(c[stream]), drawn + waiting);
            waiting += c[words] - 4 * n < 4 ? c[words] - 4 * n : 4;
            const bool is_last = step == c[count] - 1 && n == blocks - 1;
            if (waiting < CHUNK - 3 && !is_last) continue;
            for (Count rest = waiting; rest % WIDTH; ++rest) drawn[rest] = 0x8000000000000000ull;
            Code::normals(drawn, waiting, values);
            if (!at && of_step == wide) {
                for (Count n = 0; n < waiting; ++n) row[n] = T(scale_ * values[n]);
                row += waiting;
            } else for (Count n = 0; n < waiting; ++n) {
                put(number, scale_ * values[n]);
                if (++number == of_step) { number = 0; row += wide; }
            }
            waiting = 0;
        }
} else if (c[kind] == rademacher) {
    for (Count step = 0; step < c[count]; ++step, row += wide)
        for (Count n = 0; n < blocks; ++n) {
            Word drawn[4];
            Code::block(counter_++, Word(c[seed]), Word(c[stream]), drawn);
            const Count end = of_step < 256 * (n + 1) ? of_step : 256 * (n + 1);
            for (Count number = 256 * n; number < end; ++number)
                put(number, (drawn[number / 64 % 4] >> (number % 64)) & 1 ? scale_ : -scale_);
        }
} else if (c[kind] == replacement) {
    for (Count step = 0; step < c[count]; ++step, row += wide) {
        for (Count n = 0; n < of_step; ++n) put(n, 0.0);
        for (Count n = 0; n < blocks; ++n) {
            Word drawn[4];
            Code::block(counter_++, Word(c[seed]), Word(c[stream]), drawn);
            for (Count w = 0; w < 4 && 4 * n + w < c[words]; ++w) {
                const Count sample = Count(double(drawn[w] >> 11) * 0x1p-53 * double(of_step));
                put(sample, times(sample) + 1.0);
            }
        }
        for (Count n = 0; n < of_step; ++n) put(n, times(n) * scale_);
    }
} else {
    // Samples in an epoch's order, of which each step takes the next ones.
    Code::Sample *const samples = (Code::Sample*)c[memory], *order_ = samples;
    Count rest = 0;
    for (Count step = 0; step < c[count]; ++step, row += wide) {
        if (!rest) {
            for (Count n = 0; n < blocks; ++n) {
                Word drawn[4];
                Code::block(counter_++, Word(c[seed]), Word(c[stream]), drawn);
                for (Count w = 4 * n; w < of_step && w < 4 * n + 4; ++w) samples[w] = Code::Sample{drawn[w % 4], w};
            }
            order_ = Code::sorted(samples, samples + of_step, of_step);
            rest = step ? of_step : c[left];
        }
        for (Count n = 0; n < of_step; ++n) put(n, 0.0);
        const Count taken = rest < c[batch] ? rest : c[batch];
        for (Count n = 0; n < taken; ++n) put(order_[of_step - rest + n].number, double(of_step) / double(taken));
        rest -= taken;
    }
}
"""


def _polynomial(name: str, coefficients: Sequence[float]) -> str:
    """By Horner's rule, as `workers.runs.normals` has it: a product and a sum are rounded each."""
    inner = " ".join(f"{name} = {name} + D({value!r}); {name} = {name} * at;" for value in coefficients[-2:0:-1])
    return f"D {name} = at * D({coefficients[-1]!r}); {inner} {name} = {name} + D({coefficients[0]!r});"


def _ratio(coefficients: tuple[Sequence[float], Sequence[float]]) -> str:
    return " ".join(_polynomial(name, of) for name, of in zip(("above", "below"), coefficients, strict=True))


@lru_cache(maxsize=4)
def source(scalar: str, vector: int) -> str:
    """The code for numbers of a precision and vectors of a length in bytes."""
    return Template(SOURCE).substitute(
        scalar=SCALARS[scalar],
        width=vector // 8,
        vector_bits=8 * vector,
        fields=", ".join(FIELDS),
        kinds=", ".join(KINDS),
        central=_ratio(normals.CENTRAL),
        middle=_ratio(normals.MIDDLE),
        far=_ratio(normals.FAR),
        series=_polynomial("value", normals.SERIES),
        root_half=repr(normals.ROOT_OF_HALF),
        log2=repr(normals.LOGARITHM_OF_2),
    )
