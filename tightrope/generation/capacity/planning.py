"""GPUs for a load.

A published rate says: one replica does r requests a second of i tokens in and o out. A request of i' computed tokens in and o' out needs no more
than max(i'/i, o'/o) of those, since each part of it is no more than that many of theirs. The rate under which it is cheapest is taken. Prompts longer
than the rate's cost more than in proportion: doubling 2,000 tokens costs 2.3 times (reference C4, 14B), so they are stretched by an exponent.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Final

from tightrope.generation.capacity.models import Load, Memory, Pairing, Plan, Rate, Standing, Tokens

GPU_MEMORY_UTILIZATION: Final = 0.90
"""As the profiles say (deploy/vllm/profiles)."""
ACTIVATIONS: Final = 0.08
"""Part of a GPU's memory for activations and CUDA graphs; puts the 7B on an A10 at about 90k tokens, as reference C3 has it."""
LONGER_PROMPTS: Final = 1.2
"""Exponent for prompts longer than the published ones: log2(2.841/1.227) for the 14B, rounded up a little for the unknown."""
_KIB: Final = 1024
_GB: Final = 1e9
_ROUNDING: Final = 1e-9
_ORDER: Final[tuple[Standing, ...]] = ("published", "lower bound", "assumed")


class DoesNotFit(ValueError):
    """The model does not fit on these GPUs, or leaves no room for even one request: take more memory or int4 weights."""


def memory(pairing: Pairing) -> Memory:
    """Where the memory of one replica goes."""
    total = pairing.gpu_gb * pairing.gpus
    reserved = total * (1 - GPU_MEMORY_UTILIZATION + ACTIVATIONS)
    kv_gb = max(0.0, total - reserved - pairing.weights_gb)
    return Memory(total, pairing.weights_gb, reserved, kv_gb, floor(kv_gb * _GB / (pairing.kv_kib_per_token * _KIB)))


def seconds(request: Tokens, rate: Rate) -> float:
    """Seconds of a replica at full load that one request takes, by this rate; an upper bound, see above."""
    # Cached tokens are not computed again, but they are attended to: the stretch goes by the whole prompt.
    share = max((request.prompt - request.shared) / rate.tokens_in, request.output / rate.tokens_out)
    longer: float = max(1.0, request.prompt / rate.tokens_in) ** (LONGER_PROMPTS - 1)
    return share * longer / rate.requests_per_second


def plan(load: Load, pairing: Pairing, *, utilisation: float = 0.8, spare: int = 1, seconds_in_flight: float = 8.0) -> Plan:
    """Replicas and GPUs for a load on one pairing.

    Args:
        utilisation: how busy a replica may be at the peak, above 0 and at most 1.
        spare: replicas beyond what the peak needs, for a failure and for updates.
        seconds_in_flight: the longest that a request is held, as the client's time-out bounds it (TIGHTROPE_MODEL_SECONDS).

    Raises:
        DoesNotFit: see there.
        ValueError: an argument out of its range.
    """
    if not 0 < utilisation <= 1 or spare < 0 or seconds_in_flight <= 0:
        raise ValueError("utilisation lies above 0 and at most at 1, spare is at least 0, seconds in flight above 0")
    room = memory(pairing)
    parts = [part for part in ((load.answers_per_second, load.answer), (load.commands_per_second, load.command)) if part[0] > 0]
    longest = max((tokens.total for _, tokens in parts), default=1)
    if room.kv_tokens < longest:
        raise DoesNotFit(
            f"{pairing.model} {pairing.precision} on {pairing.gpus} x {pairing.gpu} holds {room.kv_tokens} tokens"
            f" beside its weights, and one request has {longest}"
        )
    busy, used = 0.0, []
    for per_second, tokens in parts:
        rate = _cheapest(tokens, pairing.rates)
        busy += per_second * seconds(tokens, rate)
        used.append((rate, tokens))
    held = sum(per_second * tokens.total for per_second, tokens in parts) * seconds_in_flight
    by_throughput = ceil(busy / utilisation - _ROUNDING)
    by_memory = ceil(held / room.kv_tokens - _ROUNDING)
    needed = max(by_throughput, by_memory)
    replicas = needed + spare if needed else 0
    rates = tuple(dict.fromkeys(rate for rate, _ in used))
    return Plan(
        pairing=pairing,
        memory=room,
        busy=busy,
        by_throughput=by_throughput,
        by_memory=by_memory,
        spare=spare if needed else 0,
        replicas=replicas,
        gpus=replicas * pairing.gpus,
        standing=weakest(rates),
        rates=rates,
        stretched=any(tokens.prompt > rate.tokens_in for rate, tokens in used),
    )


def _cheapest(request: Tokens, rates: Sequence[Rate]) -> Rate:
    return min(rates, key=lambda rate: seconds(request, rate))


def weakest(rates: Sequence[Rate]) -> Standing:
    """The standing of a plan that rests on these rates."""
    return max((rate.standing for rate in rates), key=_ORDER.index, default="published")
