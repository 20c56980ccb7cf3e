"""Whatever touched a customer: messages, memberships, complaints, surveys, visits, rewards, trainings, launches.

- ``contact_log``: ``read_contacts``: a log of contacts, checked, as ``Contacts``
- ``features``: ``customer_features``: what was known of each customer strictly before a day
"""
