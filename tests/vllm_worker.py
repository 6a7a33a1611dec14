"""What a vLLM server on the CPU needs to take weights: NCCL, which TRL sends them by, needs a GPU.

The server loads this with `--worker-extension-cls vllm_worker.FromFile`, before it loads the model.
"""

import torch
from safetensors.torch import load_file
from vllm.model_executor.layers import utils


def _plain(layer, *_, **__):
    """The CPU build packs linear weights away, where no weight sync finds them; here they stay."""
    if layer.weight.ndim == 2:
        layer.cpu_linear = torch.nn.functional.linear


utils.dispatch_cpu_unquantized_gemm = _plain


class FromFile:
    """Mixed into the server's worker; called through `/collective_rpc`."""

    def load_from(self, path: str) -> None:
        """Take all weights from a safetensors file."""
        self.model_runner.model.load_weights(load_file(path).items())
