"""How much of anything an agent may say and know. An error that names one of these says the figure too.

The rule: the limits hold for what is written, in every door alike; what was published under wider ones stays as it is.
"""

AGENTS_MAX = 20
"""Of one customer, those that were put away not counted. An installation may set another (`TALKTIME_AGENTS_MAX`)."""
AGENTS_KEPT_MAX = 500
"""Of one customer, with those that were put away: nothing of an agent is ever deleted."""
VERSIONS_A_DAY_MAX = 300
"""Of one customer, published within 24 hours, because versions are never deleted either."""
NAME_LENGTH_MAX = 200
BUSINESS_LENGTH_MAX = 200
GREETING_LENGTH_MAX = 2000
"""Characters; it is spoken before the caller can say anything."""
INSTRUCTIONS_BYTES_MAX = 20_000
"""In UTF-8. A model reads all of it before every sentence."""
FACTS_LENGTH_MAX = 4000
TONE_LENGTH_MAX = 1000
AVOID_LENGTH_MAX = 4000
VOICE_LENGTH_MAX = 100
ENTRIES_MAX = 200
ENTRY_KEY_LENGTH_MAX = 60
QUESTIONS_MAX = 30
QUESTION_LENGTH_MAX = 300
ANSWER_LENGTH_MAX = 2000
KNOWLEDGE_BYTES_MAX = 150_000
"""All entries together, in UTF-8."""
PHRASES_MAX = 200
PHRASE_LENGTH_MAX = 300
PEOPLE_MAX = 20
PERSON_NAME_LENGTH_MAX = 80
FALLBACK_LENGTH_MAX = 500
CALL_SECONDS_MIN = 30
CALL_SECONDS_MAX = 14_400
"""Four hours, which is what the longest setting of a carrier allows."""
