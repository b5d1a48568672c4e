"""The demo firm's page: login through the identity provider, and the chat with the tokens that say who and which browser."""
