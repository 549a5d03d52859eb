"""Requests of `agent_templates`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.agent_templates import Template, WholeTemplate
from talktime_client._group import Group, part
from talktime_client._paging import Pages


class AgentTemplatesGroup(Group):
    """`client.agent_templates`"""

    def list(self, *, language: str | None = None) -> Pages[Template]:
        """Lists the templates, all of them at once, or those in one language.

        `GET /v1/agent-templates`, with the scope `agents:read`.
        """
        return self._pages(Template, "/v1/agent-templates", {"language": language}, None)

    def get(self, key: str, *, language: str | None = None) -> WholeTemplate:
        """Shows what an agent made from a template says.

        `GET /v1/agent-templates/{key}`, with the scope `agents:read`.

        - `language`: Yours when it is left out.
        """
        return self._ask(WholeTemplate, "GET", f"/v1/agent-templates/{part(key)}", params={"language": language})
