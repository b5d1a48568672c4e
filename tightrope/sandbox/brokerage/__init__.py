"""The firm's core system, in small: the business API of contracts/business.openapi.yaml over synthetic customers."""
