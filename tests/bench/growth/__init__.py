"""Growth: the same work beside registers of a thousand, ten thousand … enterprises; its time per item must stay level."""

from tests.bench.growth.figures import LARGE, SIZES, figures

__all__ = ["LARGE", "SIZES", "figures"]
