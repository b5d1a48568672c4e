"""The client of the firm's business systems; the only place that speaks to them.

Use: `token = await TokenExchange(...).exchange(subject_token, SCOPES[GET_BALANCE])`, then
`answer = await BusinessClient(http, clock).balance(token, account_id)`; figures are in `answer.value`, the evidence in
`answer.receipt`. Requests for the firm's people take an idempotency key, `answer = await client.file_complaint(token, customer_id, ..., key=key)`; when one
raises, `error.done` says whether it was done, was not done, or whether nobody knows.
"""
