"""The demo agent: the front desk of a dental practice that does not exist, as plain values.

The one rule: nothing here names a real business, person or number, and everything said is short enough for a phone.
"""

from dataclasses import dataclass
from datetime import date, time

from talktime.agents.content import Person
from talktime.agents.opening_hours import Interval, OpeningHours
from talktime.speech.contract import Entry

BUSINESS = "Rose Lane Dental"
LANGUAGE = "en"
ZONE = "Europe/London"
GREETING = (
    "Hello, this is Rose Lane Dental. You are talking to an assistant, not a person. "
    "Ask me about opening hours, prices or parking, or leave a message. How can I help?"
)
INSTRUCTIONS = (
    "You answer the phone for Rose Lane Dental, a small dental practice. Be warm, brief and plain. Answer only from "
    "what you know here. When you do not know, offer to take a message. Never give medical advice; in an emergency "
    "with heavy bleeding, a swollen throat or trouble breathing, tell the caller to ring the emergency services."
)

HOURS = OpeningHours(
    zone=ZONE,
    week=(
        *((Interval(time(9), time(18)),) for _day in range(4)),  # Monday to Thursday
        (Interval(time(9), time(16, 30)),),
        (Interval(time(10), time(13)),),
        (),
    ),
    special={date(2026, 12, 25): (), date(2026, 12, 26): (), date(2027, 1, 1): ()},
)

ENTRIES = (
    Entry(
        key="checkup_price",
        questions=(
            "how much is a checkup",
            "what does a checkup cost",
            "how much does a checkup cost",
            "what is the price of a checkup",
            "how much do you charge for an examination",
            "what are your prices",
        ),
        answer="A checkup is forty five pounds, with X-rays if they are needed.",
    ),
    Entry(
        key="cleaning_price",
        questions=(
            "how much is a cleaning",
            "how much does it cost to have my teeth cleaned",
            "what does the hygienist cost",
            "what is the price of a cleaning with the hygienist",
            "how much is a scale and polish",
        ),
        answer="A cleaning with our hygienist is sixty pounds and takes half an hour.",
    ),
    Entry(
        key="whitening",
        questions=(
            "do you do teeth whitening",
            "how much is teeth whitening",
            "can you whiten my teeth",
            "do you offer whitening",
        ),
        answer="Yes, we do teeth whitening. The full treatment is two hundred and ninety pounds.",
    ),
    Entry(
        key="parking",
        questions=(
            "where can i park",
            "where can i park my car",
            "is there parking",
            "do you have parking",
            "is there somewhere to park",
            "is there a car park near you",
            "is parking free",
        ),
        answer="There is a free car park behind the building. You drive in from Mill Street.",
    ),
    Entry(
        key="address",
        questions=(
            "where are you",
            "what is your address",
            "where is the practice",
            "how do i get to you",
            "how do i find you",
            "where are you located",
            "can i get to you by bus",
        ),
        answer="We are at twelve Rose Lane, next to the post office. The number four bus stops outside.",
    ),
    Entry(
        key="new_patients",
        questions=(
            "are you taking new patients",
            "do you accept new patients",
            "can i register as a new patient",
            "how do i become a patient",
            "can i join the practice",
        ),
        answer="Yes, we are taking new patients. Leave your name and number and we will call you to register.",
    ),
    Entry(
        key="emergency",
        questions=(
            "i have a toothache",
            "my tooth hurts",
            "i am in pain",
            "i have broken a tooth",
            "this is an emergency",
            "do you have emergency appointments",
            "can i see a dentist today",
            "my gum is swollen",
        ),
        answer=(
            "I am sorry to hear that. We keep emergency places free every morning: please ring at nine, or come in. "
            "If you have trouble breathing or heavy bleeding, call nine nine nine."
        ),
    ),
    Entry(
        key="appointment",
        questions=(
            "i would like to make an appointment",
            "can i book an appointment",
            "i want to book a checkup",
            "i need an appointment",
            "when is your next free appointment",
            "can i see the dentist",
        ),
        answer="I can take a message for an appointment, and the front desk will call you back with a time.",
    ),
    Entry(
        key="cancelling",
        questions=(
            "i need to cancel my appointment",
            "how do i cancel an appointment",
            "can i change my appointment",
            "i want to move my appointment",
            "is there a fee for cancelling",
        ),
        answer="You can cancel or move an appointment free of charge until the day before. Just leave a message.",
    ),
    Entry(
        key="payment",
        questions=(
            "how can i pay",
            "can i pay by card",
            "do you take credit cards",
            "do you take cash",
            "can i pay in instalments",
        ),
        answer="You can pay by card or in cash. For larger treatments you can pay over six months.",
    ),
    Entry(
        key="insurance",
        questions=(
            "do you take insurance",
            "do you accept my insurance",
            "does my insurance pay for this",
            "which insurance do you take",
        ),
        answer="We work with all the large dental insurers. Please bring your policy number.",
    ),
    Entry(
        key="children",
        questions=(
            "do you see children",
            "do you treat children",
            "can i bring my children",
            "can i bring my son",
            "can i bring my daughter",
            "how much is a checkup for a child",
        ),
        answer="Yes, children are welcome, and checkups are free for anyone under eighteen.",
    ),
    Entry(
        key="access",
        questions=(
            "do you have wheelchair access",
            "is there a lift",
            "are there stairs",
            "is the building accessible",
        ),
        answer="Yes, there is a ramp at the door and all our rooms are on the ground floor.",
    ),
)

PHRASES = (
    "i am calling about an appointment",
    "i am calling about a bill",
    "i want to ask about my treatment",
    "please call me back tomorrow",
    "i would like to see the hygienist",
    "please tell the dentist that i will be late",
)


PEOPLE = (Person("the front desk", "+442079460123"),)
"""The number is of the range that Britain keeps for fiction, and the simulated carrier rings nobody real."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing the demo caller says."""

    text: str
    wav: str
    """Name of its recording in `talktime.simulate.wavs`."""


CONVERSATION = (
    Line("Hello, what are your opening hours?", "opening-hours"),
    Line("How much is a checkup?", "checkup-price"),
    Line("Where can I park my car?", "parking"),
    Line("Are you open on Saturday?", "saturday"),
    Line("I would like to speak to the front desk, please.", "front-desk"),
)
