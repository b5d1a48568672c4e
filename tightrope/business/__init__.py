"""The client of the firm's business systems; the only place that speaks to them.

Use: `token = await TokenExchange(...).exchange(subject_token, SCOPES[GET_BALANCE])`, then
`answer = await BusinessClient(http, clock).balance(token, account_id)`; figures are in `answer.value`, the evidence in
`answer.receipt`.
"""
