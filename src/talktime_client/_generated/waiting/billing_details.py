"""Requests of `billing_details`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.billing_details import BillingDetails
from talktime_client._group import Group
from talktime_client._values import UNSET, Unset


class BillingDetailsGroup(Group):
    """`client.billing_details`"""

    def get(self) -> BillingDetails:
        """Gives what stands on the next invoice.

        `GET /v1/billing-details`, with the scope `credits:read`.
        """
        return self._ask(BillingDetails, "GET", "/v1/billing-details")

    def set(
        self,
        *,
        if_match: str | None,
        address: str | Unset = UNSET,
        country: str | Unset = UNSET,
        email: str | Unset = UNSET,
        name: str | Unset = UNSET,
        vat_id: str | Unset = UNSET,
    ) -> BillingDetails:
        """Sets what stands on invoices from now on; those that were issued stay as they are.

        `PUT /v1/billing-details`, with the scope `credits:write`.
        """
        return self._ask(
            BillingDetails,
            "PUT",
            "/v1/billing-details",
            body={"address": address, "country": country, "email": email, "name": name, "vat_id": vat_id},
            if_match=if_match,
        )
