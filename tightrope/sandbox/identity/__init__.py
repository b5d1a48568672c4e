"""The firm's OpenID provider, in small: code flow with PKCE, sessions that end, token exchange and revocation."""
