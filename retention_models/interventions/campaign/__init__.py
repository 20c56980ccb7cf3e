"""A test read from one file of customers.

- ``read``: ``read_campaign`` and ``Campaign``
- ``columns``: the roles of the columns
- ``defaults``: what is chosen from the rows where nothing is stated
- ``prices``: prices of outcomes, costs of arms
- ``contract_outcomes``: customers and time retained, if customers have contracts
- ``views``: other methods of comparison, delivery, ceilings, costs
- ``interim``: planned looks before the end
"""
