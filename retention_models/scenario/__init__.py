"""Simulated businesses with a known truth, against which methods can be tested.

- ``retail``: a shop with purchases and a mailing; returns ``Retail`` with its ``Trial`` of ``Arm`` s
- ``subscriptions``: contracts with causes, an offer and self-service; returns ``Subscriptions``, made by ``Rules``
- ``adoption``: what self-service changes for the subscribers who choose it
- ``company``: five efforts with their tests and the register; returns ``Company``
- ``chain``: stores that launch a club one after the other; returns ``Chain``
- ``club``: customers who choose to join a club; returns ``Club``

>>> import numpy as np
>>> import retention_models as rm
>>> business = rm.scenario.subscriptions(np.random.default_rng(1), customers=500)
>>> business.contracts.columns[:3].tolist()
['customer_id', 'start', 'end']
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
