"""The attention kernel's switch: SDPA on CPU whatever is installed, the flash kernel's layout and mask on CUDA."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.components.config import Config
from toolkit.components.model.flash import attend, flash_attention_3
from toolkit.components.settings.model import Model

CFG = Config(model=Model(flash_attention=True))


def random_heads(device: str, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    return (
        torch.randn(2, 9, 4, 64, device=device, dtype=dtype),
        torch.randn(2, 9, 2, 64, device=device, dtype=dtype),
        torch.randn(2, 9, 2, 64, device=device, dtype=dtype),
    )


def attended(flash: Any, *heads: Tensor) -> Tensor:
    return attend(CFG, SimpleNamespace(flash=flash), *heads)


def test_cpu_never_calls_the_flash_kernel() -> None:
    def refuse(*args: Tensor, **options: bool) -> Tensor:
        raise AssertionError("the flash kernel runs on CUDA only")

    q, k, v = random_heads("cpu", torch.float32)
    y = attended(refuse, q, k, v)
    assert torch.equal(y, attended(None, q, k, v))
    torch.testing.assert_close(y[:, 0], v[:, 0].repeat_interleave(2, dim=1))  # the first position sees itself alone


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_flash_and_sdpa_agree_on_cuda() -> None:
    flash = flash_attention_3()
    if flash is None:
        pytest.skip("FlashAttention-3 is not installed")
    q, k, v = random_heads("cuda", torch.bfloat16)
    torch.testing.assert_close(attended(flash, q, k, v), attended(None, q, k, v), rtol=2e-2, atol=2e-2)
