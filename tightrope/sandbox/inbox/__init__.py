"""A stand-in for Chatwoot v4.16.2: the REST API, webhooks, widget and websocket that a bot, a customer and an agent use.

For the demo and for tests only; results obtained with it are results against a stand-in. Source of its behaviour: the public
documentation and source of Chatwoot, as docs/wire-contracts.md and the module docstrings name it.
"""
