"""The brokerage's SQL."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from tightrope.infra.database import Connection, Pool
from tightrope.sandbox.brokerage.models import AccountRow, CustomerRow
from tightrope.sandbox.catalogue import CUSTOMERS, DemoAccount, Months


class Brokerage:
    """Customers and accounts in schema `brokerage`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def customer(self, customer_id: str) -> tuple[CustomerRow, bool] | None:
        """The customer, and whether there is any account; None when unknown."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """SELECT c.*, EXISTS (SELECT FROM brokerage.account a WHERE a.customer_id = c.customer_id) AS has_account
                     FROM brokerage.customer c WHERE c.customer_id = %s""",
                (customer_id,),
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        has_account = bool(row.pop("has_account"))
        return CustomerRow(**row), has_account

    async def accounts(self, customer_id: str, after: str, limit: int) -> list[AccountRow] | None:
        """At most `limit` accounts with an id above `after`, in order of id; None when the customer is unknown."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT * FROM brokerage.account WHERE customer_id = %s AND account_id > %s ORDER BY account_id LIMIT %s",
                (customer_id, after, limit),
            )
            rows = [AccountRow(**row) for row in await cursor.fetchall()]
            if rows:
                return rows
            known = await (
                await connection.execute("SELECT FROM brokerage.customer WHERE customer_id = %s", (customer_id,))
            ).fetchone()
        return None if known is None else []

    async def account(self, account_id: str, owner: str) -> AccountRow | None:
        """The account when it is the owner's; None when it is another's or does not exist."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT * FROM brokerage.account WHERE account_id = %s AND customer_id = %s", (account_id, owner)
            )
            row = await cursor.fetchone()
        return AccountRow(**row) if row else None

    async def seed(self, day: date) -> bool:
        """Write the twelve customers with dates relative to `day`, unless that day is already seeded. True when written."""
        async with self._pool.connection() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('brokerage.seeding'))")
            row = await (await connection.execute("SELECT day FROM brokerage.seeding")).fetchone()
            if row is not None and row["day"] == day:
                return False
            await _write_customers(connection, day)
            await connection.execute(
                "INSERT INTO brokerage.seeding (day) VALUES (%s) ON CONFLICT (singleton) DO UPDATE SET day = EXCLUDED.day", (day,)
            )
        return True


async def _write_customers(connection: Connection, day: date) -> None:
    for item in CUSTOMERS:
        await connection.execute(
            """INSERT INTO brokerage.customer VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
               ON CONFLICT (customer_id) DO UPDATE SET
                 tier = EXCLUDED.tier, risk_level = EXCLUDED.risk_level, risk_assessed_on = EXCLUDED.risk_assessed_on,
                 risk_disclosure_signed_on = EXCLUDED.risk_disclosure_signed_on, standing = EXCLUDED.standing,
                 first_trade_on = EXCLUDED.first_trade_on, average_assets_20d = EXCLUDED.average_assets_20d,
                 margin_account_status = EXCLUDED.margin_account_status""",
            (
                item.customer_id,
                item.tier,
                item.risk_level,
                _days_before(day, item.risk_assessed_days_ago),
                _days_before(day, item.disclosure_signed_days_ago),
                item.standing,
                item.first_trade.before(day) if item.first_trade else None,
                Decimal(item.average_assets),
                item.margin_account,
            ),
        )
        for account in item.accounts:
            await _write_account(connection, item.customer_id, account, day)


async def _write_account(connection: Connection, customer_id: str, account: DemoAccount, day: date) -> None:
    await connection.execute(
        """INSERT INTO brokerage.account VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (account_id) DO UPDATE SET
             status = EXCLUDED.status, opened_on = EXCLUDED.opened_on, cash_available = EXCLUDED.cash_available,
             cash_frozen = EXCLUDED.cash_frozen, cash_withdrawable = EXCLUDED.cash_withdrawable,
             market_value = EXCLUDED.market_value""",
        (
            account.account_id,
            customer_id,
            account.kind,
            account.number,
            account.currency,
            account.status,
            Months(account.opened_months_ago).before(day),
            Decimal(account.cash_available),
            Decimal(account.cash_frozen),
            Decimal(account.cash_withdrawable),
            Decimal(account.market_value),
        ),
    )


def _days_before(day: date, count: int | None) -> date | None:
    return None if count is None else date.fromordinal(day.toordinal() - count)
