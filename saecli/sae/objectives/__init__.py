"""What is minimised: one module each, with hand-written gradients; registered here by name."""

from saecli.errors import SaecliError, one_of
from saecli.sae.objectives.batchtopk import BatchTopK
from saecli.sae.objectives.jumprelu import JumpRelu
from saecli.sae.objectives.protocol import Buffers, Losses, Objective, Precision
from saecli.sae.objectives.relu import ReluL1
from saecli.sae.objectives.topk import TopK
from saecli.sae.plan import Plan

OBJECTIVES: dict[str, type[TopK | BatchTopK | ReluL1 | JumpRelu]] = {
    "topk": TopK,
    "batchtopk": BatchTopK,
    "relu": ReluL1,
    "jumprelu": JumpRelu,
}


def objective_of(plan: Plan, precision: Precision, buffers: Buffers) -> Objective:
    """The objective that a plan names, working in the given memory.

    Raises:
        SaecliError: if there is none of that name.
    """
    if plan.objective not in OBJECTIVES:
        raise SaecliError(
            f"there is no objective '{plan.objective}'",
            f"choose {one_of(OBJECTIVES, plan.objective)}",
            usage=True,
        )
    return OBJECTIVES[plan.objective].of(plan, precision, buffers)


__all__ = ["OBJECTIVES", "Buffers", "Losses", "Objective", "Precision", "objective_of"]
