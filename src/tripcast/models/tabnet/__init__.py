"""TabNet for many stations at once: the network, trained side by side, and three learners on it.

PyTorch is imported when a learner is first asked to do something.
"""

from __future__ import annotations

from tripcast.models.tabnet.everywhere import TabNet
from tripcast.models.tabnet.stations import TabNetGuide, TabNetStation

__all__ = ["TabNet", "TabNetGuide", "TabNetStation"]
