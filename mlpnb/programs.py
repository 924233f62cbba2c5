"""Programs of TensorFlow, made once and kept within bounds, so that long work does not grow.

TensorFlow 2.21 frees no program that XLA has compiled: each keeps 10 to 15 MB, and some 200 pieces of mapped memory, of
which Linux allows a process no more than ``vm.max_map_count`` (65,530) before LLVM ends it. So the first `COMPILED`
are compiled, and kept, since to forget one would free nothing. Later ones run without XLA, which takes up to three
times as long but is ready sooner, and what is forgotten of those is freed.
"""

from __future__ import annotations

import gc
import math
import threading
from collections.abc import Callable, Hashable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from cachetools import LRUCache

Program = TypeVar("Program")

COMPILED = 32
NOT_COMPILED = 32
_compiled: dict[Hashable, Any] = {}
_others: LRUCache[Hashable, Any] = LRUCache(math.inf)  # bounded by `_forget`
_lock = threading.RLock()


def kept(make: Callable[..., Program]) -> Callable[..., Program]:
    """Decorate ``make(*key, jit_compile)``: called with a key, it makes one program for it, compiled if it may be."""

    @wraps(make)
    def program(*key: Hashable) -> Program:
        name = (make, *key)
        with _lock:
            found: Program | None = _compiled.get(name) or _others.get(name)
            if found is None:
                jit_compile = may_compile()
                if not jit_compile and len(_others) >= NOT_COMPILED:
                    _forget()
                found = make(*key, jit_compile=jit_compile)
                (_compiled if jit_compile else _others)[name] = found
            return found

    return program


def may_compile() -> bool:
    """Whether there is room for another program of XLA's."""
    if len(_compiled) >= COMPILED:
        return False
    try:
        limit = int(Path("/proc/sys/vm/max_map_count").read_text())
        with Path("/proc/self/maps").open("rb") as maps:
            return sum(1 for _ in maps) < limit // 2
    except OSError:  # not Linux
        return True


def alone(optimizer: Any) -> Any:
    """A Keras optimizer, without the sum of its gradients over replicas, of which there is one.

    For that sum TensorFlow keeps the graph in which it is traced, and all that hangs on it, as long as the process
    lives: ``ReplicaContext.all_reduce`` is a ``tf.custom_gradient``, whose every trace is registered.
    """
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs  # `optimizer.py` of its TensorFlow backend, Keras 3.15.1
    return optimizer


def _forget() -> None:
    """Free the half of the programs not compiled by XLA that have not been used for longest."""
    from tensorflow.python.eager import context

    while len(_others) > NOT_COMPILED // 2:
        _others.popitem()
    gc.collect()  # they hang together in circles
    context.context().clear_kernel_cache()  # what TensorFlow keeps of them, as `keras.backend.clear_session` lets it go
