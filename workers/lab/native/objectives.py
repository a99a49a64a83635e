"""The text of an objective of entries: from predictions to the signal in their place, and twice the loss.

The statements of a loss are those of the fused engine (`workers.lab.losses`). The loss has partial sums, entry n in the
one of n modulo their number, so that nothing depends on the length of vectors.
"""

from string import Template

from workers.lab.losses import FusedLoss
from workers.lab.native.functions import text_of

WHOLE = {"float64": "long long", "float32": "int"}

OBJECTIVE = """
    typedef T V __attribute__((ext_vector_type($sums)));
    typedef $whole Whole __attribute__((ext_vector_type($sums)));
    static NEAR V fused(V a, V b, V c) { return __builtin_elementwise_fma(a, b, c); }
    static NEAR V sign_of(V value) {
        const V zero = V(T(0)), unit = V(T(1)), negative = V(T(-1));
        return value > zero ? unit : (value < zero ? negative : zero);
    }
    $functions

    // `weights` of zero leave an entry out; what fills up the last vector has them.
    static NEAR V pull_one(T* entries, const T* targets, const T* weights, V sum, T parameter, int count) {
        V prediction = V(T(0)), target = prediction, weight = prediction;
        __builtin_memcpy(&prediction, entries, count * sizeof(T));
        __builtin_memcpy(&target, targets, count * sizeof(T));
        __builtin_memcpy(&weight, weights, count * sizeof(T));
        const V residual = prediction - target; $constant
        $statements
        __builtin_memcpy(entries, &pulled, count * sizeof(T));
        return fused(left, right, sum);
    }

    static WIDE T pull_at(T* entries, const T* targets, const T* weights, Count count, T parameter) {
        V sum = V(T(0));
        Count n = 0;
        for (; n + $sums <= count; n += $sums)
            sum = pull_one(entries + n, targets + n, weights + n, sum, parameter, $sums);
        if (n < count) sum = pull_one(entries + n, targets + n, weights + n, sum, parameter, count - n);
        for (int half = $sums / 2; half > 0; half /= 2)
            for (int n = 0; n < half; ++n) sum[n] = sum[n] + sum[n + half];
        return sum[0];
    }
"""


def text(loss: FusedLoss, precision: str, sums: int) -> str:
    """Functions of which the last, `pull_at`, returns twice the loss.

    Args:
        loss: the loss; it has one parameter at most.
        precision: of the numbers.
        sums: partial sums of a loss.
    """
    return Template(OBJECTIVE).substitute(
        whole=WHOLE[precision],
        sums=sums,
        functions=text_of(loss.functions, precision).replace("static CUDA_CALLABLE", "static NEAR"),
        constant="".join(f"const V loss_{name} = V(parameter);" for name in loss.constants),
        statements=Template(loss.statements).substitute(weight="weight", residual="residual"),
    )
