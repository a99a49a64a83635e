"""The fused engine on GPUs: its kernels compile for one on any machine; where there is one, the bits are a CPU's."""

import pytest
import warp as wp

from tests.engines.fused_cases import Result, complete, descents, spec
from workers.lab.engines.descents import Clock
from workers.lab.engines.fused import engine as fused
from workers.lab.engines.fused.kernels import kernel_of
from workers.lab.engines.fused.program import DISTURBANCES, Manner, Program
from workers.lab.updates import DESCENT_UPDATE, MOMENTUM_UPDATE
from workers.records import Budget

pytestmark = pytest.mark.slow

PROGRAMS = {
    "three factors in registers": Program(((2, 2),) * 3, 1, DESCENT_UPDATE, "float64", 1),
    "momentum in single precision": Program(((2, 2),) * 3, 2, MOMENTUM_UPDATE, "float32", 1),
    "one factor": Program(((3, 4),), 1, DESCENT_UPDATE, "float64", 1),
    "rectangular": Program(((3, 2), (2, 4)), 2, MOMENTUM_UPDATE, "float64", 1),
    "loops that are not unrolled": Program(((8, 8),) * 3, 1, DESCENT_UPDATE, "float64", 1),
    "draws": Program(((2, 2),) * 2, 1, DESCENT_UPDATE, "float64", 1, manner=Manner(disturbances=DISTURBANCES)),
    "symmetric": Program(((3, 2),), 1, DESCENT_UPDATE, "float64", 1, symmetric=True),
}
HOPPER = 90


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_kernels_compile_for_gpus(program, tmp_path):
    kernel, _ = kernel_of(program)
    wp.compile_aot_module(kernel.module, arch=HOPPER, module_dir=tmp_path, use_ptx=True)
    (text,) = tmp_path.glob("*.ptx")
    assert "fused_descent" in text.read_text()
    kind = "f64" if program.precision == "float64" else "f32"
    assert f"fma.rn.{kind}" in text.read_text(), "multiply-adds are those that the source names"


@pytest.mark.gpu
@pytest.mark.skipif(not wp.is_cuda_available(), reason="there is no CUDA device")
def test_gives_the_same_bits_on_a_gpu():
    specs = [spec(stop={"max_steps": 1000}, seed=seed) for seed in range(40)]
    batch = descents(specs)
    parts = [fused.advance(batch, Clock(Budget(60)), "cuda")]
    assert Result(batch, parts).every_run() == complete(specs).every_run()
