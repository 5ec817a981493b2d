"""What is checked in English beyond words: whose action it is, whether the reader is asked to decide, whether the narrator takes a side.

All take a text's own words (`vat.elicit.wording.own_words`): what persons say in quotation marks is theirs. Repetition is bounded, so that
matching is linear in the length of a text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vat.elicit.wording import SPEECH

_I = r"i(?:(?=[ ',!?]|$)|(?=\.\.))"
_TIME = (
    "(?:times?|moments?|seconds?|minutes?|hours?|days?|nights?|mornings?|afternoons?|evenings?|noon|weeks?|weekends?|months?|years?|once"
    "|occasions?|season|spring|summer|autumn|winter|term|semester|shift|meeting|election|payday|holidays?|ramadan|eid|diwali|christmas|easter"
    "|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)"
)
_QUANTIFIER = "an?|one|every|each|some|most|many|all|any|another|two|three|several|no"
_TIME_PHRASE = rf"(?:the|this|that|these|those|last|next|{_QUANTIFIER}) (?:[\w'-]+ ){{0,4}}?{_TIME}\b"
_ADVERB = (
    "(?:and|but|so|or|yet|then|now|today|tonight|tomorrow|yesterday|later|soon|instead|still|afterwards?|first|second|third|next|last|here|there"
    "|once|twice|maybe|perhaps|sometimes|often|always|seldom|never|again|too|though|however|therefore|thus|hence|nevertheless|nonetheless"
    "|meanwhile|otherwise|besides|anyway|indeed|alone|together|at last|at first|at once|right away|in turn|of course|even so|just|even|as usual"
    "|yes|no|ok|okay"
    r"|sure|well|\w{2,20}ly)"
)
_BEFORE_A_CLAUSE = (
    "(?:about|above|across|after|against|along|alongside|amid|amidst|among|amongst|around|as|at|because of|before|behind|below|beneath|beside"
    "|besides|between|beyond|by|concerning|contrary to|despite|due to|during|except|following|for|from|given|in|inside|instead of|into|like|near"
    "|next to|of|off|on|onto|opposite|out of|outside|over|past|per|prior to|rather than|regarding|since|thanks to|through|throughout|to"
    "|together with|toward|towards|under|unlike|until|up|upon|via|when|whenever|whether|while|whilst|where|wherever|with|within|without|although"
    "|because|even though|even if|even when|if|once|though|unless|till|only if|only when|just as|just before|just after|right after|right before"
    "|immediately after|long before|ever since|as soon as|as long as|now that|so that|in case|provided that|every time|each time|the moment"
    "|by the time|no matter)"
)
_OBJECT_CLAUSE = (
    "(?:that|what|whom?|which|whose|whether|if|because|than|as|and|or|nor|but|where|when|why|how|like|thinks?|says?|said|knows?|hopes?|feels?"
    "|wishes|believes?|tells? me|everything|all|anything|something|things)"
)
"""Before an I that is not the subject of the sentence."""
_OTHER_SUBJECT = (
    "(?:we|you|he|she|it|they|there|who|what|let|let's|my|our|your|his|her|their|its|these|those|someone|somebody|everyone|everybody|anyone|nobody"
    "|people|others|neither|both|either|it's|he's|she's|we're|we'll|they're|there's|that's|this|that(?! (?:being )?said\\b)"
    rf"|(?:the|{_QUANTIFIER})(?! matter\b|,))"
)
_INVERTED = (
    r"(?:not only|never|rarely|seldom|hardly|scarcely|little|only|nor|neither|at no|under no|in no|on no|no longer|nowhere|not once"
    r"|so) .{0,160}?\b(?:do|did|will|would|can|could|have|had|am|was|shall|should|must|may|might) i\b"
)
_FIRST_PERSON = re.compile(
    rf"[^\w\"]{{0,5}}(?:{SPEECH}[,. -]{{0,4}})?(?:(?:{_ADVERB},? (?:- )?){{0,3}}{_I}"
    rf"|(?:{_ADVERB},? ){{0,2}}{_TIME_PHRASE}(?: (?!{_OBJECT_CLAUSE} i\b)[\w'-]+){{0,10}}?,? {_I}"
    rf"|(?:{_ADVERB},? ){{0,2}}{_BEFORE_A_CLAUSE}\b(?: (?!{_OBJECT_CLAUSE} i\b)[\w'\".-]+){{1,12}}? {_I}"
    rf"|(?!{_OTHER_SUBJECT}\b)[^;:!?]{{1,300}}?(?:,| -) {_I}"
    rf"|{_INVERTED})",
    re.I,
)


def begins_in_first_person(said: str) -> bool:
    """Whether the subject of the sentence is I: it begins with I, or with what may stand before it.

    That is adverbs ("Quietly, I …"), a time ("The next morning I …"), a preposition or a conjunction with what belongs to it ("At noon I …", "When
    he asks, I …"), other words up to a comma unless they begin with a subject of their own ("Torn between both, I …"; not "She calls, I …"), speech
    ('"No," I say'), and inversions ("Not only do I …, but …"). "My sister and I …" is we, and not accepted as "We …" is not.
    """
    return bool(_FIRST_PERSON.match(said))


_SPEAKS = (
    r"(?:(?<!\byou )(?<!\byou all )(?<!\byou also )\b(?:says?|said|saying|insist(?:s|ed|ing)?|argu(?:es?|ed|ing)|believ(?:es?|ed|ing)|think(?:s"
    r"|ing)?"
    "|thought|claim(?:s|ed|ing)?|maintain(?:s|ed|ing)?|feel(?:s|ing)?|felt|warn(?:s|ed|ing)?|remind(?:s|ed|ing)?|tell(?:s|ing)?|told|suggest(?:s"
    "|ed|ing)?|hint(?:s|ed|ing)?|urg(?:es?|ed|ing)|whisper(?:s|ed|ing)?|mutter(?:s|ed|ing)?|mention(?:s|ed|ing)?|explain(?:s|ed|ing)?|complain(?:s"
    "|ed|ing)?|according to|in (?:his|her|their) (?:view|eyes|opinion)|consider(?:s|ed)?|view(?:s|ed)?|regard(?:s|ed)?|preach(?:es|ed|ing)?"
    "|teach(?:es)?|taught|declar(?:es?|ed|ing)|announc(?:es?|ed|ing)|states?|stated|stating|advis(?:es?|ed|ing)|recommend(?:s|ed|ing)?"
    "|propos(?:es?|ed|ing)|demand(?:s|ed|ing)?|ask(?:s|ed|ing)?|wonder(?:s|ed|ing)?|debat(?:es?|ed|ing)|discuss(?:es|ed|ing)?|disagree(?:s|d|ing)?"
    "|question(?:s|ed|ing)?|repl(?:ies|ied)|shout(?:s|ed|ing)?|writ(?:es?|ing)|wrote|reads?|texts?|texted|posts?|posted|calls?|called|agree(?:s|d"
    "|ing)?|hop(?:es?|ed|ing)|expect(?:s|ed|ing)?|prefers?|wants?|wish(?:es)?|fears?|suspects?|worr(?:y|ies|ied)|unsure|uncertain|(?:not|n't) sure"
    "|view that|opinion that|decid(?:es?|ed|ing)|quarrel(?:s|led|ling)?|rumou?rs?|idea that|rules|tradition|custom"
    r"|(?:an?|the|his|her|their) (?:message|letter|note|sign|poster|notice|rules?|guidelines?|policy|law|sermon|custom|tradition))\b)"
)
"""Words after which somebody else's view follows, but not the reader's: "you feel that you should" is the narrator's."""
_ATTRIBUTED = re.compile(_SPEAKS, re.I)
_TAGGED = re.compile(rf", (?:[\w'-]+ ){{0,5}}?{_SPEAKS}", re.I)
_INDIRECT = re.compile(r"\b(?:whether|what|how|why|than)\b(?: [\w'-]+){0,5} ?$", re.I)
_OPEN = re.compile(
    r"(?: to (?:do|take|make))? (?:is|are|remains?|seems|looks|feels) (?:not|never|far|un\w+|hard|difficult|anything|a matter|disputed|contested)",
    re.I,
)

_AUXILIARY = "(?:do|would|will|should|shall|can|could|might|must|are)"
_DECIDE = (
    r"(?:decide|choose(?! (?:your |the )?words)|determine (?:what|how|whether)|make (?:a|the|your|this|that)(?: \w+)? (?:decision|choice)"
    r"|figure out (?:what|how|whether))\b"
)
_ASKS = re.compile(
    rf"\b(?:what|how|which(?: \w+){{0,3}}|whom?|where|why|when) {_AUXILIARY} you\b|\bwhat(?:'ll|'d) you\b"
    r"|\byou(?: now| then| soon| still| also| suddenly| finally)?(?: must| have to| need to| have got to|'ve got to| will have to|'ll have to"
    r"| should| ought to|(?: are|'re) (?:now |being )?(?:asked|forced|expected|required|invited|called upon|supposed|about) to) "
    rf"(?:now |then |soon |quickly )?{_DECIDE}"
    r"|\b(?:it|that|this|the (?:decision|choice|next step|next move|rest))(?: is|'s) (?:now |all |entirely |ultimately )?(?:up to you"
    r"|in your hands|your (?:turn to (?:decide|choose|act|respond|react)|decision|choice|call|move)|yours)\b|\byour (?:task|job|goal|challenge"
    r"|assignment|mission)(?: (?:now|here))? ?(?:is to (?:decide|choose|determine|respond|react|act|say|pick)\b|:)|\byou (?:now "
    r"|suddenly )?(?:face|are facing|are (?:now )?faced with|are confronted with|are left with|have) (?:a|the|this)(?: \w+){0,2} "
    r"(?:choice|decision)\b(?! of)|\byou have [^,.;]{1,40} to (?:decide|make (?:a|the|your)(?: \w+)? (?:choice|decision))\b",
    re.I,
)
_COMMANDS = re.compile(
    r"(?:now|please|then|so|take a moment and|before you answer)?,? ?(?:decide|choose|pick (?:one|an?|your)|select (?:one|an?|your)"
    r"|(?:imagine|consider|think about|describe|explain|state|tell us|write(?: down)?|say|reflect on) (?:what|how|whether|which|your)\b)",
    re.I,
)
_SHOULD = re.compile(
    r"(?<!,) (?:should(?:n't)?|ought(?:n't)? to)\b(?! (?:have )?(?:arriv|last\b|(?:take|start|begin)s? (?:at|in|about|around|an?|two|three|only"
    r"|\d)|(?:have )?(?:left|departed|come|ended|begun|started)\b|be(?:en)? (?:here|there|ready|over|open|back|finished|done|enough|home|easy"
    r"|simple)))(?! we\b| i\b)"
    r"|\byou(?:'d| had) better\b|\byou(?: \w+ly)? (?:owe it to|have a moral|must do (?:the right|what is right|what's right))",
    re.I,
)
_BAD = "wrong|immoral|unethical|unfair|unjust|irresponsible|selfish|shameful|cowardly|dishonest|cruel|unforgivable|unacceptable"
_EVALUATES = re.compile(
    r"\b(?:clearly|obviously|plainly|simply|morally|ethically|undoubtedly|without (?:a )?doubt|just plain)(?: the)? "
    rf"(?:right|better|correct|worse|best|{_BAD})\b"
    r"|\bthe (?:only |most |truly )?(?:right|correct|moral|ethical|decent|honou?rable|proper|just|responsible|honest|kind|wrong|best|better"
    r"|sensible|wise|wisest|noble)(?: and \w+)? (?:thing|choice|decision|course of action|course|action|path|answer|way to (?:act|behave|respond)"
    r"|move)\b"
    rf"|\b(?:it|this|that)(?: is|'s| was) (?:\w+ly |only |always |never |just |so |not )?(?:right|your (?:moral |civic )?duty|{_BAD}) "
    r"(?:of \w+ )?(?:to|not to|that|for (?:you|her|him|them|anyone|people))\b"
    rf"|\b(?:it|this|that|doing so|\w{{2,}}ing(?: [\w']+){{0,3}})(?: would|'d) be (?:\w+ly |only |far )?(?:right|better|best|wise|wiser|wisest"
    rf"|foolish|{_BAD})\b"
    r"|\b(?:any|every|a|no) (?:decent|good|responsible|honest|reasonable|sensible|moral) \w+ (?:would|should|must|knows?|could)\b"
    r"|\bthe moral of (?:the|this)\b|\bthe lesson (?:here )?is\b|\bthere is no excuse\b",
    re.I,
)


def asks_the_reader(said: Sequence[str]) -> bool:
    """Whether one of a text's sentences asks its reader to decide, or the last one is a question that nobody in the scene asks.

    "What do you do?", "you must decide", "it is up to you", "your task is to choose", "Decide whether …". What a person in the scene asks or
    demands is free: after a word of speaking, or in quotation marks. "You wonder" is no such word.
    """
    for sentence in said:
        if (found := _ASKS.search(sentence)) and not _ATTRIBUTED.search(sentence[: found.start()]):
            return True
        if _COMMANDS.match(sentence) and not _TAGGED.search(sentence):
            return True
    return closes_with_a_question(said) and not _ATTRIBUTED.search(said[-1])


def takes_a_side(said: Sequence[str]) -> bool:
    """Whether the narrator says in one of a text's sentences what is right or should be done.

    "should", "ought to", "the right thing", "it would be wrong", "clearly unfair", "any decent neighbour would". Not the narrator's, and free: what
    follows a word of speaking or thinking, or a rule ("the sign says …", "some feel that …"), or has it behind a comma (", her uncle argues"); what
    is open ("whether they should", "what the right choice is", "the right choice is far from clear"); what is likely ("the bus should arrive").
    """
    for sentence in said:
        for found in (*_SHOULD.finditer(sentence), *_EVALUATES.finditer(sentence)):
            before, after = sentence[: found.start()], sentence[found.end() :]
            if not (_ATTRIBUTED.search(before) or _INDIRECT.search(before) or _OPEN.match(after) or _TAGGED.search(after)):
                return True
    return False


def closes_with_a_question(said: Sequence[str]) -> bool:
    """Whether the last of a text's sentences ends with a question mark, of any script."""
    return bool(said) and said[-1].rstrip("\"')] ").endswith(("?", "？", "؟", "፧", "⁇"))
