"""English sentences that callers of any business say. Words only; see `sentences.py`."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SIGNS = {"&": "and", "€": "euros", "£": "pounds", "$": "dollars", "%": "percent"}

_DAYS = ("today", "tomorrow", "on the weekend", "at the weekend", *(f"on {day}" for day in WEEKDAYS))
_TIMES = ("right now", "now", "in the morning", "in the evening", "in the afternoon", "at lunch time", "on holidays")
HOURS = (
    *("what are your opening hours", "what are your hours", "what are your business hours", "when are you open"),
    *("what are the opening times", "what are your opening times", "when do you open", "when do you close"),
    *("what time do you open", "what time do you close", "until when are you open", "how long are you open"),
    *("are you open", "are you still open", "are you closed", "what time are you open", "which days are you open"),
    *("opening hours", "how late are you open", "on what days are you open", "what days are you open"),
    *(f"are you open {when}" for when in (*_DAYS, *_TIMES)),
    *(f"are you closed {day}" for day in _DAYS),
    *(f"what are your opening hours {day}" for day in _DAYS),
    *(f"when do you {verb} {day}" for verb in ("open", "close") for day in _DAYS),
    *(f"what time do you {verb} {day}" for verb in ("open", "close") for day in _DAYS),
    *(f"when are you open {day}" for day in _DAYS),
    *(f"how long are you open {day}" for day in _DAYS),
    *(f"are you open on {day}s" for day in WEEKDAYS),
    *(f"what about {day}" for day in ("today", "tomorrow", *WEEKDAYS)),
    *(f"and {day}" for day in _DAYS),
)
OPENINGS = (
    *("hello", "hi", "good morning", "good afternoon", "could you tell me", "can you tell me", "please tell me"),
    *("i would like to know", "i'd like to know", "i wanted to ask", "i want to know", "i was wondering", "excuse me"),
    *("okay", "and", "so", "okay and", "thank you", "thanks", "thank you and", "yes", "no", "hello i wanted to ask"),
    *("hi could you tell me", "hello can you tell me", "do you know", "great"),
)
ENDINGS = ("please", "thank you", "thanks", "at the moment", "exactly", "today", "tomorrow")

REWRITES = (
    (r"^can i ", ("could i ", "may i ", "is it possible to ")),
    (r"^can you ", ("could you ", "would you ")),
    (r"^do you ", ("do you also ", "would you ", "i wonder if you ")),
    (r"^(?:is|are) there ", ("do you have ", "have you got ", "is there any ")),
    (r"^do you have ", ("is there ", "have you got ")),
    (r"^i (?:need|want|have) to ", ("i have to ", "i want to ", "i would like to ", "i'd like to ", "can i ")),
    (r"^i (?:want|need) (?:an? )?", ("i would like a ", "could i have a ")),
    (r"^where (is|are) ", (r"where exactly \1 ", r"can you tell me where \1 ")),
    (r"^how much is (.+)$", (r"how expensive is \1", r"what does \1 cost", r"what would \1 cost", r"what is \1")),
    (r"^how much does (.+) cost$", (r"how expensive is \1", r"what would \1 cost", r"how much would \1 cost")),
    (r"^what is ", ("what's ", "tell me ")),
    (r"^my (\w+) (\w+)s$", (r"my \1 is \2ing", r"my \1 really \2s", r"my \1 is really \2ing")),
    (r"^i have ", ("i've got ", "i think i have ")),
)
"""Other ways to say the same: what a sentence begins with, and what may stand there instead."""
SYNONYMS = (
    *(("children", "kids", "child", "son", "daughter"), ("checkup", "examination"), ("cost", "price")),
    *(("appointment", "booking"), ("cancel", "change", "move"), ("address", "location"), ("card", "credit card")),
    *(("parking", "a car park", "somewhere to park"), ("pain", "toothache"), ("doctor", "dentist")),
)
"""Words that callers use for one another; one that an agent's questions have brings the others with it."""

_GOODBYES = ("goodbye", "good bye", "bye", "bye bye", "have a nice day", "see you", "see you soon")
_THANKS = ("thank you", "thanks", "thank you very much", "thanks a lot", "thank you so much", "many thanks")
_ASK_FOR = ("can i speak to", "can i talk to", "i want to talk to", "i would like to speak to", "put me through to")
_ASK_POLITELY = ("can i speak to", "could i speak to", "can i speak with", "connect me to")
_PEOPLE = (
    *("a person", "a human", "someone", "somebody", "a real person", "the manager", "the doctor", "the dentist"),
    *("the receptionist", "the owner", "a member of staff", "an employee", "the front desk"),
)
COMMON = (
    *("hello", "hi", "good morning", "good afternoon", "good evening", "hello are you there", "hello can you hear me"),
    *("yes", "no", "yes please", "no thank you", "no thanks", "yeah", "sure", "okay", "ok", "of course", "alright"),
    *("that is all", "that's all", "that's it", "that is correct", "that's right", "nothing else", "no that's all"),
    *("nothing", "not today", "never mind", "no that's all thank you", "no that is all thank you goodbye"),
    *("can you repeat that", "could you repeat that please", "please repeat that", "can you say that again"),
    *("say that again please", "what did you say", "sorry i did not understand", "pardon", "sorry", "repeat please"),
    *("sorry what", "i didn't catch that", "i did not hear you", "once more please", "again please"),
    *("can i leave a message", "could i leave a message", "i would like to leave a message", "please take a message"),
    *("i'd like to leave a message", "i want to leave a message", "take a message", "can you take a message"),
    *("leave a message", "may i leave a message", "can i leave a message for the doctor", "can you pass on a message"),
    *("please call me back", "can someone call me back", "could somebody call me back", "please ring me back"),
    *("call me back please", "i would like a call back", "can you call me back", "ask them to call me"),
    *("who are you", "are you a robot", "am i talking to a person", "are you a real person", "what can you do"),
    *("can you help me", "i need help", "i have a question", "i have another question", "help"),
    *_THANKS,
    *_GOODBYES,
    *(f"{thanks} {goodbye}" for thanks in _THANKS for goodbye in _GOODBYES),
    *(f"okay {thanks} {goodbye}" for thanks in _THANKS for goodbye in _GOODBYES),
    *(f"{verb} {person}" for verb in _ASK_FOR for person in _PEOPLE),
    *(f"{verb} {person} please" for verb in _ASK_POLITELY for person in _PEOPLE),
)

_NAMES = (
    *("john", "mary", "peter", "anna", "michael", "sarah", "david", "laura", "james", "emma", "robert", "julia"),
    *("william", "lisa", "thomas", "susan", "daniel", "karen", "paul", "nancy", "mark", "helen", "george", "alice"),
    *("kevin", "jane", "brian", "ruth", "steven", "maria", "edward", "linda", "richard", "barbara", "charles", "emily"),
)
_SURNAMES = (
    *("smith", "jones", "brown", "taylor", "wilson", "johnson", "davies", "miller", "green", "clark", "white", "hall"),
    *("walker", "martin", "cooper", "king", "baker", "turner", "hill", "moore", "wood", "harris", "adams", "young"),
)
_DIGITS = ("oh", *ONES[:10])
DICTATED = (
    *(f"{name} {surname}" for name, surname in zip(_NAMES, _SURNAMES * 2, strict=False)),
    *(f"my name is {name}" for name in (*_NAMES, *_SURNAMES)),
    *(f"this is {name}" for name in (*_NAMES, *_SURNAMES)),
    *(f"my name is {name} {surname}" for name, surname in zip(_NAMES, reversed(_SURNAMES), strict=False)),
    *(f"it's {name}" for name in _NAMES),
    *(f"my number is {first} {second}" for first in _DIGITS for second in _DIGITS),
    *(f"please call me back on {first} {second}" for first in _DIGITS for second in _DIGITS[:3]),
    *(f"please call me back {when}" for when in ("today", "tomorrow", "in the morning", "this afternoon")),
    *("i would like to change my appointment", "i have a question about my bill", "i will be late", "it is urgent"),
    *("i am running late", "please tell them that i called", "please tell her to call me"),
)


def number(value: int) -> str:
    """0 to 9,999 as it is said."""
    if value < 20:
        return ONES[value]
    if value < 100:
        return f"{TENS[value // 10]} {ONES[value % 10]}" if value % 10 else TENS[value // 10]
    size, name = (1000, "thousand") if value >= 1000 else (100, "hundred")
    head = f"{number(value // size)} {name}"
    return f"{head} {'and ' if value % size < 100 else ''}{number(value % size)}" if value % size else head
