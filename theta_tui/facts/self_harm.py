"""Whether a message speaks of self-harm, or of somebody's wish to die. Standard library only.

Wordings, not meaning: English, and only what stands here. In doubt it says yes to what is said of a person and no to
what is said of a thing, a place or a joke, because a caring reply to a figure of speech costs less than a joke in the
other case. tests/facts/self_harm.toml measures it.
"""

from __future__ import annotations

import re

_APOSTROPHE = re.compile(r"[’‘`´']")
_OTHER = re.compile(r"[^a-z0-9.,;!?]+")
_STOP = re.compile(r"\s*[.,;!?]+\s*")

_SELF = r"(?:myself|my self|yourself|ourselves)"
_THEM = r"(?:himself|herself|themself|themselves)"
_CLOSE = r"\b(?:my|friend|i|he|she|they)\b.*"
_MY = r"(?:my|my own|his|his own|her|her own|their|their own)"
_KILL = r"(?:kill|hang|shoot|drown|poison|unalive|harm|starve|stab|strangle)"
_KILLING = r"(?:killing|hanging|shooting|drowning|poisoning|harming|starving)"
_HURT = r"(?:hurt|cut|burn|injure)"
_HURTING = r"(?:hurting|cutting|burning|injuring)"
_WANT = (
    r"(?:want|wants|wanna|wanted|wish|ready|rather|hope|pray|deserve|deserves|need|needs|like|try|trying|"
    r"tried|plan|plans|planning|thr?eaten\w*|going|gonna)"
)
_LEAD = r"(?:that|if|to|it|i|could|would|just|really|only|on|so)"
_WHERE = r"(?! (?:in|at|on|near|here|there|with|for|from)\b)"
_NO_MORE = (
    r"(?: (?:anymore|any more|any longer|no more|today|tomorrow|again|like this|this way|this life|so much|"
    r"right now|now|tonight|sometimes|so bad|please|really)\b| ?$| ?\|)"
)
_BY_ACCIDENT = (
    r"(?! (?:(?:shaving|cooking|while|at|on|by|playing|in|with|off|short|loose|free|some|a)\b|"
    r"when i (?:fell|was (?:cooking|shaving|playing))))"
)
_HIGH = r"(?:bridge|roof|building|cliff|balcony|train|window|tower|car|bus|truck|ledge)"
_JOKE = (
    r"(?! (?:\w+ )?(?:laugh\w*|embarrass\w*|shame|boredom|curiosity|hunger|thirst|cringe|happiness|alone|"
    r"hard|my hair|"
    r"than eat|when (?:he|she|they|we|the)|(?:in|of|on|from|for|by|at|here)\b))"
)

_PATTERNS = (
    # named outright
    r"\bsui?cid(?:e|al|ally)\b(?! (?:squad|squeeze|doors?|kings?|wings?|bunn\w+|burns?))|\bkms\b|\bself ?harm\w*",
    # doing it
    rf"\b(?:{_KILL}(?:ed)?|shot|hung|{_KILLING}|unalived?|unaliving) {_SELF}\b",
    rf"{_CLOSE}\b(?:{_WANT}|keeps?|started|about|of|is|might|will|my \w+) (?:to )?(?:{_KILL}|killed|"
    rf"{_KILLING}|{_HURTING}) {_THEM}\b",
    rf"{_CLOSE}\b(?:{_WANT}) to {_HURT} {_THEM}\b",
    rf"\b(?:{_WANT}|urge|keep|kept|love|start|started|thoughts?|think|thinking|about|of|stop|used|might|"
    rf"should|i|must) "
    rf"(?:to |about |of |up |just |have |been |am )*(?:{_HURTING}|{_HURT}) (?:myself|my self)\b"
    rf"{_BY_ACCIDENT}",
    rf"\b(?:ive|i have|been|im|i am|was) (?:been |started |back to |again )*(?:cutting|hurting|burning) myself\b"
    rf"{_BY_ACCIDENT}",
    rf"\b(?:slit|slitting|cut|cutting|slash\w*) {_MY} (?:wrists?|veins?|throat|arms?|thighs?)\b(?! off)",
    rf"\b(?:end|ending|take|taking|ended) {_MY} (?:life|lives)\b|\bend(?:ing)? it all\b",
    r"\bi .*\b(?:took|ending|end) (?:your|my) life\b",
    rf"\b(?:{_WANT}|should|could|just|thinking|about|better) (?:to |i |just |about |of )*"
    rf"(?:end|ending) (?:it|everything){_NO_MORE}",
    rf"\b(?:want|wanna|wish|need) (?:to )?(?:it|everything|my life|all of it|it all|this life|this)(?: all)? (?:to )?"
    rf"(?:just )?(?:end|be over|stop){_NO_MORE}|\blife and want\b",
    r"\b(?:i|to|going to|gonna|from an|from|an) (?:just |have |almost )*(?:over ?dos(?:e|ed|ing))\b(?! on "
    r"(?:chocolate|sugar|coffee))",
    r"\b(?:i|he|she|to|just|ve|have|gonna) (?:just |have |might |ve |mightve )*(?:took|taken|swallow|"
    r"swallowed|take) (?:\w+ ){0,3}"
    r"(?:whole|entire|lots?|too many|bunch|handful|all)(?: \w+){0,4} (?:pills|tablets|meds|medication|"
    r"paracetamol|tylenol)\b",
    r"\bhow many (?:\w+ )?(?:does it|would it|do i|to|should i) (?:\w+ )*(?:die|kill|overdose)\b",
    rf"\b(?:to|i|ill|of|about|should|could|might|wanna|gonna|just) (?:just )?(?:jump|jumping|leap) (?:off|"
    rf"from|in front of|out of) "
    rf"(?:a|the|my|this) (?:\w+ )?{_HIGH}\b",
    r"\b(?:rope|gun|noose|razor|blade)\b.*\b(?:use it|end it|do it)\b",
    r"\b(?:painless|easiest|easy|quick|quickest|fastest|best|good) (?:way|method|place)s? (?:to|of) "
    r"(?:die|dying|be dead|end (?:it|my life))\b",
    # wishing to be dead
    rf"(?<!what is it )(?<!would you )(?<!dont )(?<!not )(?<!nobody )(?<!no one )(?<!didnt )(?<!never )"
    rf"\b(?:want|wants|wanted|wanna|wish|ready|rather|hope|pray|deserve|need|feel like|about|prefer|"
    rf"plan|planning|wait|should i|i should|me to|wants me) (?:{_LEAD} )*"
    rf"(?:die|dying|be dead|stop living|stop existing|not exist|cease to exist|not be alive|not be here|not wake up|"
    rf"never wake up|disappear forever|be gone forever)\b{_JOKE}",
    rf"\b(?:i am|im|i was) (?:going to|gonna) (?:die|be dead)\b{_JOKE}",
    rf"\b(?:i|im) (?:am )?(?:{_WANT}|about|should) (?:to )?(?:drown|take pills)(?: soon| today| this \w+| "
    rf"myself| tonight)?(?: ?$| ?\|)",
    r"\bi welcome death\b|\bwont be alive\b|\bno hope for me\b|\bim (?:just |only )?a burden\b|\bdead would be\b",
    r"\bshould i (?:just )?(?:drown|take pills)\b|\b(?:want|need|wish) the pain to (?:end|stop)\b|"
    r"\boff(?:ing)? myself\b",
    r"\bno ?(?:body|one) (?:will|would|is going to) (?:even |ever )?miss me(?: ?$| ?\|)",
    r"\b(?:sleep|asleep|bed)\b.*\b(?:never|not|dont) (?:to )?wake up\b|\b(?:go to|fall) (?:sleep|asleep) forever\b",
    r"\bwish(?:ed)? (?:that )?i (?:was|were|am|could be|would be) (?:just )?dead\b",
    r"\bwish(?:ed)? (?:that )?i (?:was|were|had|would|could|did)?(?:nt| not| never| just)? ?(?:been |be |just )*"
    r"(?:die|died|(?:not |never )?exist|disappear)\b",
    r"\bwish(?:ed)? (?:that )?i (?:was|were|had|wasnt|werent|hadnt) (?:never |not )?(?:been )?(?:born|alive|"
    r"here anymore)\b"
    r"(?! (?:in|on|at|\w+ years?)\b)",
    r"\b(?:i|id) (?:would )?(?:be )?(?:rather|better|happier) (?:be |off )?dead\b|\bbetter off dead\b",
    r"\b(?:better|easier|happier|best|relief|simpler) (?:off |place )?(?:if|when) (?:i|im) ?"
    r"(?:was|were|am|wasnt|werent|did|didnt|do|dont|just|would|had|not|never| )*(?:dead|gone|exist|die|died|"
    r"alive|born|around)\b",
    r"\b(?:better|happier|easier) (?:off )?without me(?: ?$| ?\||\b(?! (?:at|on|in|there|for)))",
    r"\b(?:no ?(?:body|one)|people) (?:would|will|wouldnt)? ?(?:even |really |ever )?(?:care|miss|notice)"
    r"s?(?: me| at all)? (?:if|when|whether|that) "
    r"i ?m? ?(?:just |was |were |am |had )*(?:live or die|die|died|dead|gone|disappear\w*)\b",
    r"\bgoodbye\b.*\b(?:wont be here (?:tomorrow|anymore)|forever)\b(?!.*\b(?:day off|holiday|vacation|"
    r"school|work|home)\b)",
    # not wishing to live
    rf"\b(?:dont|do not|didnt|doesnt|no longer|never|cant|not) (?:even |really |just )?(?:want|wanna|wants|"
    rf"wish|wanted|deserve|care) "
    rf"(?:to )?(?:live|be alive|exist|wake up|go on living|keep living){_NO_MORE}",
    r"\b(?:dont|do not|cant|cannot|never|no longer) (?:really |even )?(?:see|find|have|know) (?:the |any |a |"
    r"no )?(?:point|reason|sense) "
    r"(?:of|in|to|for|why) (?:i |go on |keep |be |being |should )*(?:live|living|life|alive|going on|"
    r"existing|go on)\b",
    rf"\b(?:dont|do not|doesnt|didnt) (?:really |even |just )?(?:want|wanna|wants) (?:to )?be (?:here|around|alive|"
    rf"on this earth|in this world)(?! at){_NO_MORE}",
    r"\b(?:life|living|my life|this life|being alive) (?:isnt|is not|aint|is no longer|just isnt|not) (?:\w+ "
    r")?worth\b(?!.*\bwithout\b)",
    r"\b(?:my )?life (?:has|had) no (?:meaning|point|purpose)\b",
    rf"\b(?:no|any) (?:reason|point|purpose|use|sense|will) (?:left )?(?:to|in|of|for) "
    rf"(?:me to |keep |carry on |go on |going on |my |even )*(?:live|living|life|being alive|be alive|stay "
    rf"alive|exist\w*)\b{_WHERE}",
    r"\bwhat ?i?s? (?:is )?the (?:point|use) (?:of|in) (?:my |even )*(?:living|my life|being alive|going on|"
    r"existing)\b"
    r"(?! (?:in|at|on|near|here|there|with|for)\b)",
    rf"\bwhy (?:should|do|would|am|must) i (?:even |still |bother |keep |to )*(?:stay alive|staying alive|"
    rf"live|living|exist\w*|"
    rf"be alive|alive|go on living)\b{_WHERE}",
    r"\b(?:nothing|nobody|no one|not anything) (?:left )?to live for\b|\b(?:lost|lose|losing|no|without) "
    r"(?:\w+ )?will to live\b",
    rf"\b(?:tired|sick|weary|exhausted|had enough|done) (?:of|with) (?:my )?(?:living|life|being alive|"
    rf"existing|this life)"
    rf"{_NO_MORE}",
    r"\bhate (?:being alive|to be alive|existing)\b|\bliving hurts\b",
    r"\b(?:cant|cannot|can not) (?:go on|live|keep going|keep living|carry on|continue)(?: living)? "
    r"(?:like this|this way|any longer|anymore|any more|with this pain)",
)  # fmt: skip
_SPEAKS = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS))
_JOKES = re.compile(
    r"\b(?:kill(?:ed|ing)?|die|died|dying) (?:(?:my|him|her|your)self )?(?:\w+ )?(?:laugh\w*|of "
    r"embarrassment)|\bshot \w+self in the foot\b"
)


def speaks_of_self_harm(message: str) -> bool:
    """Whether `message` speaks of self-harm, of suicide, or of somebody's wish to die."""
    text = _normal(message)
    return _SPEAKS.search(_JOKES.sub(" ", text)) is not None


def _normal(message: str) -> str:
    """In lower case, without apostrophes; `|` stands where a clause ends."""
    text = _OTHER.sub(" ", _APOSTROPHE.sub("", message.lower())).strip()
    return _STOP.sub(" | ", text).strip(" |")
