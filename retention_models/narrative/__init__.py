"""Text for pages: sentences, overview tables and number formats for the notebooks.

Only this room writes sentences for pages. The other rooms return numbers and flags. The names of this room may change.

- ``Answer``: what a page decides, with its ``KeyFigure`` and how sure it is
- ``overview``: summary of a purchase log; ``contract_overview``, ``business_traits``
- ``customer_base_answer``, ``value_answer``, ``contract_answer``, ``campaign_answer``: those of the pages
- ``register_answer``, ``budget_answer``: those of the pages on all efforts; ``register_facts``
- ``roll_out_answer``: that of the page on a roll-out; ``roll_out_facts``
- ``trials_answer``: that of the page on what customers choose; ``trials_facts``
- ``forecast_sentence``: the planning range of purchases, and how earlier forecasts came true
- ``group_as_covariate``: whether groups of customers with contracts differ
- ``calendar_model``: contracts with a season and events; ``explained_text``
- ``known_contract_values``: the truth of a simulated business beside the estimates
- ``assumptions``: what a value takes for granted
- ``recommendation``: which arm of a campaign to use next
- ``three_digits``: a number to three significant digits; ``rounded_amount``; ``with_intervals`` for frames

Behind the door:

- ``planning``: planning ranges in words, and what they rest on

>>> import retention_models as rm
>>> rm.narrative.three_digits(1665.513)
'1,666'
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
