"""The rule book in English."""

import re

from talktime.speech.offline.phrasebook import Phrasebook, any_of
from talktime.speech.offline.sentences_en import WEEKDAYS

_EMPTY_WORDS = (
    "a an the is are am be was were do does did you your i me my we our us it its this that there here to "
    "of in on at for with from by or and but so can could would will shall may might should have has had "
    "want like know tell please what when which who how much many long if any some about get got just need "
    "let hello hi okay yes no thank thanks not also as then them they he she him her one would i'd i'm "
    "it's what's"
)

ENGLISH = Phrasebook(
    weekdays=WEEKDAYS,
    today=any_of("today", "tonight", "this (?:morning|afternoon|evening)"),
    tomorrow=any_of("tomorrow"),
    weekend=any_of("weekends?"),
    now=any_of("now", "still", "currently", "at the moment", "at this time"),
    hours=any_of(
        *(r"open(?:ed|ing)?(?! (?:an? )?accounts?)", "opens", "closed", "clos(?:e|es|ing)", "business hours"),
        *("your hours", "office hours", "what hours", "opening (?:hours|times)", "hours"),
    ),
    when_closing_or_opening=any_of(
        *(
            "when (?:do|are|will|does) (?:you|it|they)(?: guys)? (?:close|closing|opening)",
            "when (?:do|will|does) \\w+ open",
            "until when",
            "how long",
        ),
        *("what time (?:do|are|will) you", "how late", "till when", "(?:do|will) you (?:open|close)"),
    ),
    is_open=any_of(
        "(?<!when )(?<!days )(?<!long )(?<!late )are you (?:already |still )?(?:open|closed)",
        "is it open",
        "(?:you are|you're) open",
    ),
    what_about=any_of("what about", "how about", "and(?: on)?"),
    greeting=any_of("hello", "hi", "hey", "good (?:morning|afternoon|evening|day)"),
    thanks=any_of("thanks?", "thank you", "cheers"),
    goodbye=any_of(
        "good ?bye", "bye", "have a (?:nice|good|great) (?:day|evening|one)", "see you", "talk to you later"
    ),
    nothing_else=any_of(
        *("that(?: is|'s| was) (?:all|it|everything)", "nothing(?: else)?", "no more questions", "i'm (?:fine|good)"),
        *("that will be all", "all good"),
    ),
    yes=any_of("yes", "yeah", "yep", "sure", "okay", "ok", "of course", "alright", "please do", "correct", "right"),
    no=any_of("no", "nope", "not (?:today|now|really)", "no thanks"),
    repeat=any_of(
        *("repeat", "say (?:that|it) again", "what did you say", "pardon", "once more", "come again", "sorry what"),
        *("(?:didn't|did not|couldn't|could not) (?:catch|hear|understand|get)",),
    ),
    leave_message=any_of(
        *("(?:leave|take|pass on|pass|send|give) (?:\\w+ ){0,3}messages?", "call (?:me )?back", "ring me back"),
        *("call me", "a message", "tell (?:them|her|him|the \\w+) (?:that|to)"),
    ),
    person=any_of(
        *("(?:speak|talk|talking) (?:to|with) (?!you\\b)", "put me through", "connect me", "real person", "human"),
        *("transfer me", "operator", "receptionist"),
    ),
    who_are_you=any_of("who are you", "are you (?:an? )?(?:robot|machine|human|real|person|computer)", "who is this"),
    help=any_of("what can you do", "can you help", "i need help", "help me", "i have (?:a|another) question"),
    never_mind=any_of("never mind", "forget it", "cancel that", "no message", "don't bother"),
    my_name_is=re.compile(
        r"^(?:(?:yes|okay|sure|hello|hi|well|so)\b ?)*(?:my name is|this is|i am|i'm|it's|it is|the name is)? ?"
    ),
    separators=re.compile(r"\b(?:and also|and then|and|also)\b"),
    synonyms={
        **dict.fromkeys(("cost", "costs", "charge", "expensive", "fee", "prices", "pay for", "rate"), "price"),
        **dict.fromkeys(("kids", "kid", "child", "son", "daughter", "boy", "girl", "baby"), "children"),
        **dict.fromkeys(("teeth",), "tooth"),
        **dict.fromkeys(("located", "location", "find", "directions", "situated", "address"), "address"),
        **dict.fromkeys(("toothache", "hurt", "hurts", "hurting", "ache", "aching", "painful", "pains"), "pain"),
        **dict.fromkeys(("book", "booking", "reservation", "reserve", "schedule", "appointments"), "appointment"),
        **dict.fromkeys(("move", "reschedule", "change", "postpone", "cancelling", "cancellation"), "cancel"),
        **dict.fromkeys(("cards", "credit", "debit", "visa"), "card"),
        **dict.fromkeys(("carpark", "garage"), "parking"),
        **dict.fromkeys(("insurances", "insurer", "insurers", "insured"), "insurance"),
        **dict.fromkeys(("examination", "examinations", "exam", "checkups"), "checkup"),
        **dict.fromkeys(("urgent", "urgently"), "emergency"),
        **dict.fromkeys(("join", "register", "registered", "enrol"), "register"),
        **dict.fromkeys(("accept", "taking", "accepting"), "take"),
        **dict.fromkeys(("elevator", "stairs", "wheelchair", "disabled", "accessible"), "access"),
        **dict.fromkeys(("clean", "cleaned", "hygienist", "polish"), "cleaning"),
        **dict.fromkeys(("whiten", "whiter", "bleaching", "bleach"), "whitening"),
    },
    endings=("ings", "ing", "ies", "ed", "es", "er", "ly", "'s", "s", "e"),
    empty_words=frozenset(_EMPTY_WORDS.split()),
    says_hello="Hello! How can I help you?",
    says_welcome="You are welcome. Is there anything else?",
    says_goodbye="Thank you for calling. Goodbye!",
    says_who="I am the automatic assistant of {business}, not a person. How can I help you?",
    says_help="I can tell you our opening hours, answer questions about {business}, or take a message. What can I do?",
    asks_on="Go ahead, please.",
    asks_anything_else="All right. Is there anything else I can help you with?",
    asks_again=(
        "Sorry, I did not understand that. Could you say it in other words?",
        "I still did not get that, I am sorry. You can ask for our opening hours, for example.",
    ),
    offers_message="I am afraid I cannot help you with that. Shall I take a message?",
    offers_message_for_person="I cannot connect you at the moment. Shall I take a message, so that they call you back?",
    asks_name="Of course. What is your name, please?",
    asks_message="Thank you. And what is your message?",
    says_taken="Thank you, I have noted that and will pass it on. Is there anything else?",
    says_not_taken="I am sorry, I could not save your message. Please call again a little later.",
    says_dropped="All right, no message then. Is there anything else?",
    says_cannot_take="I am sorry, I cannot take messages. Is there anything else?",
    says_transferring="One moment please, I am connecting you.",
    says_no_hours="I am sorry, I do not know the opening hours.",
)
