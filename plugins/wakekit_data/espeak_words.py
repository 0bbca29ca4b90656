"""Common English words and the sentences they are put into, the synthetic corpus's other speech.

Each `{slot}` of a template is filled from the list of that name.
"""

from __future__ import annotations

WORDS: dict[str, tuple[str, ...]] = {
    slot: tuple(text.split())
    for slot, text in {
        "who": """
            mother father sister brother teacher doctor neighbor driver farmer lawyer manager painter pilot sailor
            singer student waiter writer uncle aunt cousin friend captain baker butcher dentist editor engineer lady
            nobody everyone somebody children people visitors workers""",
        "noun": """
            apple bottle bridge bucket button camera candle carpet chair church circle coffee corner cotton dinner
            engine field finger flower forest garden glass guitar hammer harbor history island jacket kitchen ladder
            letter machine market meadow minute mirror morning mountain museum number office orange paper pencil
            picture pillow pocket police potato question radio river road rocket salad school season shadow shelter
            shoulder silver station story street sugar summer supper table ticket tower traffic train valley village
            voice wagon water weather window winter yellow novel notice north nature narrow hero heaven honey horse
            house heat hour hay hate health holiday nose note noon lesson lecture legend lemon level lever vacuum
            vapor vote vowel""",
        "adjective": """
            angry ancient bitter bright broken careful cheap clean clever cold common curious dark deep early empty
            famous fresh gentle golden happy heavy hidden hollow honest hungry large lazy little lonely loud modern
            muddy narrow new noisy normal old patient perfect plain polite poor proud quick quiet rough round serious
            sharp silent simple sleepy slow small smooth soft solid sour steady strange strong sudden sweet tall thick
            tiny useful warm wet wide wild wonderful young""",
        "past": """
            answered bought borrowed built carried caught cleaned closed counted covered crossed drew dropped found
            followed forgot gave guarded heard held helped hid kept knew left lifted lost loved made measured met
            missed moved needed noticed offered opened ordered painted passed planted pulled pushed reached remembered
            repaired returned saved saw sent shared sold stole studied taught threw touched turned visited wanted
            washed watched wrote""",
        "verb": """
            answer borrow bring build buy carry catch clean close count cover cross draw drop eat fetch find finish
            follow forget hang heat help hide hold keep know leave lift make measure move need notice offer open order
            paint pass plant play pull push reach read remember repair return save sell send share show start stop
            study teach throw touch turn visit wash watch write""",
        "place": """
            airport bakery basement beach castle cellar city college corridor country desert factory farm ferry
            gallery garage hallway hospital hotel lake library lobby museum palace park playground restaurant roof
            shop square stadium theater town tunnel university warehouse workshop zoo""",
        "when": """
            today tomorrow yesterday tonight monday tuesday wednesday thursday friday saturday sunday again always
            never often sometimes soon later early""",
        "number": """
            two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
            eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety""",
    }.items()
}

TEMPLATES = (
    "the {adjective} {noun} is in the {place}",
    "my {who} {past} the {noun} {when}",
    "can you {verb} the {adjective} {noun} for me",
    "we {past} {number} {adjective} things at the {place}",
    "i think the {who} will {verb} it {when}",
    "please {verb} the {noun} and then {verb} the {noun}",
    "there was a {noun} behind the {place}",
    "did your {who} {verb} anything {when}",
    "{when} they {past} a {adjective} {noun}",
    "nobody at the {place} {past} the {noun}",
    "what a {adjective} {noun} that is",
    "he said the {noun} costs {number} dollars",
    "she {past} her {noun} near the {place} and went home",
    "why would the {who} {verb} a {noun} like that",
    "it takes {number} minutes from the {place} to the {place}",
    "the {who} and the {who} {past} each other {when}",
    "if you {verb} the {noun} i will {verb} the {noun}",
    "we should never {verb} a {adjective} {noun} in the {place}",
    "turn left at the {place} and look for the {adjective} {noun}",
    "they talked about the {noun} for {number} hours",
)

PHRASES = (
    "well",
    "all right",
    "so anyway",
    "thank you",
    "of course",
    "come on",
    "good morning",
    "not really",
    "let me see",
    "i am here",
    "turn it off",
    "what time is it",
    "play some music",
    "set a timer",
    "how are you",
    "stop that",
    "call my {who}",
    "open the {noun}",
    "where is the {noun}",
    "in the {place}",
    "{number} or {number}",
    "see you {when}",
)

OPENERS = ("okay", "hello", "hi", "say", "my", "the", "a", "they", "oh", "dear")
ENDINGS = ("er", "ing", "o", "y", "is", "le", "en", "ly", "us", "ment")
