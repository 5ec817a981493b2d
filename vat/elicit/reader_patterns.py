"""The patterns with which `reader.py` reads: what is markup, what mentions the scale, what leads to an answer, what takes it back.

They are matched against text in lower case with single spaces; repetition is bounded, so that matching is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
SCALE = "¦"
"""Stands where the scale was mentioned; a text's own bar becomes an ordinary one."""

SIGNS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´", "'"),
        **dict.fromkeys("“”„‟″«»「」『』", '"'),
        **dict.fromkeys("‐‑‒–―−﹣－•●▪◦", "-"),
        **{wide: f"{narrow} " for wide, narrow in zip("。．，、：；！？", "..,,:;!?", strict=True)},
        **dict.fromkeys("_✅✔", " "),
        **dict.fromkeys("\ufe0f\u20e3", ""),
        **{"—": " - ", "→": "->", "⇒": "->", "【": "[", "】": "]", SCALE: "|"},
    }
)
EMOJI = "\U0001f000"
THOUGHT = re.compile(r"[<\[◁](?P<closes>/?)(?:seed:)?think(?:ing)?[>\]▷]", re.I)
TURN_ENDS = re.compile(r"<\|(?:im_end|eot_id|end|endoftext|end_of_text|return|im_start|user)\|>|</s>|<eos>|<end_of_turn>")
NO_MARKUP = (
    (re.compile(r"^[ \t]*(?:```|~~~)[\w-]{0,20}[ \t]*$", re.M), ""),
    (re.compile(r"</?(?:b|i|u|em|strong|code|span|mark|kbd)>"), ""),
    (re.compile(r"</?(?:s|del|strike)>"), "~~"),
    (re.compile(r"<([1-5])>"), r"\1"),
    (re.compile(r"<(?:answer|rating|score|final[ -]?answer)>"), "\nanswer: "),
    (re.compile(r"<(?:/[a-z][\w -]{0,30}|br ?/?)>"), "\n"),
    (re.compile(r"<[a-z][\w -]{0,30}>"), ""),
    (re.compile(r"\\(?:boxed|text|textbf|mathbf)\b"), ""),
    (re.compile(r"\\[()\[\]]|\$(?=[ {]{0,3}[0-9][ }]{0,3}\$)|(?<=[0-9} ])\$(?=\W|$)|[*`\\]"), ""),
    (re.compile(r"\.{2,4}(?=[^\s.])"), "... "),
    (re.compile(r"(?<=[.!?)])-(?=[0-9])"), " - "),
    (re.compile(r"[^\S\n]+"), " "),
    (re.compile(r" ?\n[ \n]*"), "\n"),
    (re.compile(r"^(?:#{1,6}|[-=]?>|[-+=:]) ", re.M), ""),
    (re.compile(r"\b(?:e\.g|i\.e|vs|no|nr|approx|fig|ca|v|vol|sec|art|pp?|ch)\. "), "~ "),
    (re.compile(r"^[(\[]?([1-5])[)\]] (?=[^-=])", re.M), r"\1. "),
)
NEXT_QUESTION = re.compile(r"^situation:", re.M)
PROMPT_LINE = re.compile(r"^(?:situation|action|value at stake):.*$", re.M)

NUMBER = r"(?:[0-9]|(?:one|two|three|four|five)\b)"
ONE, FIVE = "(?:1|one)", "(?:5|five)"
RANGE = rf"(?:{ONE}(?: ?- ?| to | through | and |, ?2, ?3, ?4,?(?: and| or)? ?|/2/3/4/){FIVE}|{FIVE}(?: ?- ?| to ){ONE})"
SCALE_MENTION = re.compile(
    rf"(?:\b(?:on|in|using|with|from) )?(?:(?:the|a|this|your) )?(?:(?:likert )?scale,? )?(?:(?:of|from|between|ranging from) )?"
    rf"(?<![\w.,/$+-]){RANGE}(?![\w%/+]|[.,-]\d)(?:[ -](?:point )?scale)?"
    r"|\bon (?:the|a|this|your)(?: given| provided| likert| (?:5|five)[ -]point)? scale\b(?!,? (?:of|from|between|\d))"
)
FOREIGN_SCALE = re.compile(r"\b(?!5|five)[a-z0-9]{1,5}[ -]point scale|\bscale (?:[a-z]{1,10} ){0,3}\d{1,3}(?: ?- ?| to | through )\d{1,3}")
LEGEND = re.compile("12?3?4?5|54?3?2?1")
LIST_MARKER = re.compile(r"(?:\A|(?<=\n))([1-9][0-9]?)(?:[.)](?:[ \n]|\Z)|\Z)|(?<=[^:=] )(?<! is )(?<! a )(?<! say )([1-9][0-9]?)[.)] (?=[a-z\"])")
ENUMERATION = re.compile(r"\A1\. (?:[^.!?\n]{0,80}:|[^\n]*[^.!?\"')\]\n](?:\n|\Z))")
SENTENCE_ENDS = re.compile(r"(?<=[.!?;])[\"')\]]{0,3} ")

NOUN = (
    r"(?:answer|rating|score|response|choice|selection|verdict|(?:level of )?agreement(?: (?:level|score|rating))?"
    "|antwort|bewertung|respuesta|réponse|risposta|resposta|ответ|оценка|答案|回答|评分|評価)"
)
NOUN_LINE = re.compile(rf"(^(?:(?:my|your|the|final|overall) ){{0,2}}{NOUN}(?: is)?(?=\n)|\b{NOUN}(?: is)?(?=[:=]\n))[:=]?\n", re.M)
ADVERB = (
    "(?:probably|likely|personally|honestly|definitely|therefore|thus|then|still|just|have to|certainly|clearly|overall|so|hence|about|around|roughly"
    "|approximately|maybe|perhaps|actually|a|an|solid|strong|clear|firm|definite|good|full|perfect|only)"
)
LEAD = (
    rf"(?:(?:{ADVERB}|i think|i guess|i would|i'd|i do|i|well|ok|okay|yes|yeah|sure|hmm|ultimately|for me|my|your|final|{SCALE}"
    r"|(?:no|absolutely|absolutely not)(?=,)|assistant(?=:))[,:!]? ){0,4}"
)
OBJECT = (
    "(?:it|this|that|the|my|myself|own|personal|overall|action|behaviou?r|statement|agreement|level|of|with|as|at|a|an|solid|strong|good|full|perfect"
    "|likelihood|willingness|option|such|course|acting|way|in|rating|score|answer|number|here|situation|on|for)"
)
VERB_CUE = (
    rf"\b(?:i(?:'d|'ll|'m| would| will| am| do| must| can| have to)?(?: {ADVERB}){{0,2}}|let's|let me)"
    rf" (?P<verb>(?:rate|rated|say|choose|chose|pick|picked|select|selected|go with|going with|go for|answer|respond with|respond|settle on|opt for"
    rf"|put|score)(?: {OBJECT}){{0,8}}|(?:give|gave|assign|assigned)(?: {OBJECT}){{1,8}}):?"
)
NOUN_CUE = (
    rf"\b{NOUN}[\"']?(?: ?\([^()\n0-9]{{0,60}}\)| out of (?:5|five)| {SCALE})?(?: (?:here|for me|for this|to this|in this case|to this question))?"
    r"(?:(?: (?:is|would be|will be|remains)|'s)(?: ?:)?| ?[:=]| ->| -(?= ))"
)
IT_CUE = (
    r"\b(?:it|this|that)(?:'s| is| would be|'d be)(?: (?:definitely|probably|clearly|certainly|really|actually|more of|more like))? an?"
    r"(?: solid| strong| clear| firm)?"
)
OPEN, CLOSE = r"[\"'(\[{]{0,4} ?", r" ?[\"')\]}]{0,4}"
MODIFIER = (
    "(?:somewhat|slightly|mostly|part(?:ial)?ly|rather|fairly|moderately|mildly|generally|largely|completely|totally|fully|absolutely|very|quite"
    "|tend to)"
)
OVER = rf"{CLOSE} ?[.!;]{{0,3}}{CLOSE} ?$"
QUALIFIED = r"(?:if|unless|or|otherwise|depending|when|maybe|perhaps|possibly|no|wait|rather(?! than)|not)\b"
REASON = (
    r"(?:because|since|as|given|due to|for|here|definitely|probably|i guess|i think|in this case|rather than|instead of|which (?:is|means|indicates)"
    r"|meaning|indicating|that i would)\b"
)
GOES_ON = rf"{CLOSE}(?:[,:] | - | \(|,? (?={REASON})|,? ?\(?{SCALE})(?!{OPEN}(?:-?{NUMBER}|{QUALIFIED}|(?:out )?of\b))"
PHRASE_GOES_ON = (
    rf",? (?:because|since|as i)\b| that i would (?:act|do|behave)\b(?! not)(?: (?:in )?(?:this|that|so)(?: way)?)?{OVER}"
    rf"| with (?:this|the|that) (?:action|statement){OVER}"
)
DIGIT = r"(?P<digit>[1-5])(?:\.0)?(?: ?/ ?5(?:\.0)?| \(?(?:out )?of (?:5|five)\)?)?"
WORD = r"(?P<word>one|two|three|four|five)\b(?: out of (?:5|five))?"

DENIED = re.compile(
    r"(?:\b(?:not|never|cannot|nobody|without|hardly|doubt|deny|wonder|unsure)|n't)\b"
    r"(?:(?:(?!\b(?:but|so|yet|however|therefore|thus)\b)[^,:]){0,60}|.{0,80}\b(?:that|if|whether) )$"
    r"|(?<!\bi )(?<!\bi'd )(?<!\bi would )\b(?:says?|said|thinks|claims?|told [a-z]{1,15})(?: that)?,?:? [\"']?(?:(?:the|my) )?$"
    r"|\b(?:typical|average|common|usual|their|his|her|previous|earlier|first|initial|other|another|possible|correct|default|wrong) $|[a-z]'s $|s' $"
)
CONDITIONAL = re.compile(
    r"\b(?:unless|initially|at first|normally|usually|otherwise|tempted|part of me|instinct|first (?:thought|impulse|reaction|glance)"
    r"|if\b(?! (?:i|you|we) (?:(?:had|have|need|needed|am|was|were) (?:to|forced|asked|in|human|a human|(?:a|the|this) person)|must|imagine|put)\b"
    r"| (?:i'm )?(?:forced|asked|pressed|required|pushed)))\b"
)
UNCOUNTED = (
    r"(?![\w%°]|[.,:-]\d|/(?! ?5(?:\W|$)))"
    r"(?! (?!(?:on|if|when|is|was|would|in|at|or|to|and|might|may|could|because|depending|with|but|as|since|than|for|too|seems|feels|then|otherwise"
    r"|out|also|instead|given|though|although|that|i|it|so)\b)[a-z])"
)
ANOTHER = re.compile(
    r"(?<![\w.,/$€£#-])(?<!\": )(?<!': )(?<!than )(?<!not )(?<!than a )(?<!not a )(?<!instead of )(?<!instead of a )"
    rf"(?P<mention>[1-5]){UNCOUNTED}"
)
HEDGED = re.compile(
    r"(?:~|\b(?:or|alternatively|maybe|perhaps|possibly|(?:might|could|may)(?: also| even| well)? be|between|even|closer to|towards?|bordering on"
    r"|to|make (?:it|that)|actually|rather|no|wait|sorry|correction|i meant?|instead|now|and)),?:? (?:an? )?[\"'(\[{]{0,4}"
    rf"(?P<mention>[1-5]|(?:two|three|four|five)\b){UNCOUNTED}"
)
TAKEN_BACK = re.compile(
    r"\bon (?:second|further|closer) (?:thought|reflection|consideration)|\breconsider|\bchange my (?:mind|answer|rating)|\brevis(?:e|ing) my"
    r"|\bscratch that|\bgo (?:lower|higher)\b|\b(?:bit|little|slightly) (?:lower|higher)\b|\bwait,"
)
MACHINE = "(?:ai|artificial intelligence|(?:large )?language model|virtual assistant|chatbot)"
REFUSAL = re.compile(
    rf"\b(?:as|i am|i'm) (?:only |just )?an? {MACHINE}\b"
    r"|\bi(?: am|'m)? (?:cannot|can't|can not|could not|couldn't|won't|will not|would not|wouldn't|do not|don't|unable to|not able to|must decline to"
    r"|have to decline to|decline to|refuse to|not comfortable|not going to)(?: [a-z]{1,15}){0,3}?"
    r" (?:rate|rating|answer|answering|provide|providing|give|assist|help with|choose|assign|respond|comply|offer|express|engage|participate|fulfill?"
    r"|pick|select|continue|(?:hold|have|possess) (?:any |a )?(?:personal|human|own|feelings|values|opinions?|preferences|beliefs|views|emotions))\b"
    r"|\bi(?:'d| would)? (?:rather not|prefer not to|must decline|decline|refuse)\b|\bnot something i can\b|\bsorry,? but i (?:cannot|can't|won't)"
    r"|\bno comment\b|\bnot (?:be )?appropriate for me to\b"
)
PLEASANTRY = re.compile(
    r"(?:sure|certainly|of course|okay|ok|yes|well|thanks|thank you|understood|got it|alright|hmm|json|here(?:'s| is) [^0-9]{0,60})[.!:,]{0,3}$"
)
ACTS = re.compile(
    r"(?:(?:yes|no|however|but|still|so),? )?i(?:'d| would)(?P<not> not| never|n't)?(?: (?:definitely|probably|likely|certainly|most likely))?"
    r" (?:act|behave) (?:in )?(?:this|that) way[.!]?$"
)
ITEM = re.compile(
    r"\W{0,4}(?:(?!step|reason|point|option|part|day|age|at\b|confidence|certainty)[a-z']{1,10}\W{1,3}){0,3}(?<![\w.,/$€£#-])(?<!than )(?<!not )"
    rf"([1-5])(?:(?: ?/ ?5| out of 5)?(?:{OVER}|{GOES_ON})| ?[=:-])"
)
STARTS = re.compile(rf"{OPEN}{LEAD}{OPEN}([1-5])(?![0-9])")
EITHER = re.compile(
    r"(?<![\w.,/])(?:[1-5]|two|three|four) ?(?:-|/(?! ?5)|,|to |or |and |nor ) ?(?:maybe |perhaps |even ){0,2}(?:an? )?"
    r"(?:[1-5](?![\w.,%/]\w|\w)|three|four|five)"
)


def digit_of(number: str) -> int:
    """A digit, or its word, as a number."""
    return WORDS.get(number) or int(number)


class Grammar(NamedTuple):
    """The patterns that depend on the phrases of a scale.

    pair: a number and its meaning. bare: a sentence that is an answer. opening: an answer, and perhaps an explanation. cued: an answer after its
    cue. declared: a line "Answer: 4". leaning: agreement in so many words.
    """

    points: Mapping[str, int]
    pair: re.Pattern[str]
    bare: re.Pattern[str]
    opening: re.Pattern[str]
    cued: re.Pattern[str]
    declared: re.Pattern[str]
    leaning: re.Pattern[str]

    def label(self, found: re.Match[str]) -> int:
        """The label of the value in a match; 0 for a number that is none."""
        said = found.groupdict()
        return digit_of(said.get("digit") or said.get("word") or "0") or self.meaning(said.get("phrase") or "")

    def meaning(self, phrase: str) -> int:
        """The label of a phrase; 0 for none."""
        return self.points.get(phrase.replace("-", " "), 0)


@lru_cache(maxsize=8)
def grammar_of(points: tuple[tuple[str, int], ...]) -> Grammar:
    """The patterns for a scale, given as (phrase, label) pairs."""
    phrases = sorted((re.escape(phrase).replace(r"\ ", "[ -]") for phrase, _ in points), key=len, reverse=True)
    any_phrase, number = rf"(?:{'|'.join(phrases)})\b(?!-)", "[1-5]|one|two|three|four|five"
    phrase = f"(?P<phrase>{any_phrase})"
    means = r"(?: ?[=:,.(-] ?| ?-> ?| is | being | means | meaning | indicates | represents | for | stands for | equals )"
    value = rf"(?:{DIGIT}|{WORD}|{phrase})"
    go_on = rf"{OVER}|(?(digit){GOES_ON}|(?(phrase)(?:{PHRASE_GOES_ON})|(?!)))"
    return Grammar(
        dict(points),
        pair=re.compile(
            rf"(?<![\w.,/-])(?P<number>{number})(?:(?: ?/ ?5)?{means}[\"']?|(?<=[1-5]) )(?P<meaning>{any_phrase})[\"')]{{0,2}}"
            rf"|(?<!not )(?<!n't )(?<!nor )(?<!or )(?<!ly )\b(?P<gloss>{any_phrase})[\"']?(?: ?[=:(\[-] ?| is | being )"
            rf"(?P<glossed>{number})(?: ?/ ?5)?[)\]]?(?![\w%]|[.,:-]\d)"
        ),
        bare=re.compile(rf"{OPEN}(?:{LEAD}{OPEN}(?:{DIGIT}|{phrase})|{WORD})(?P<end>{OVER})"),
        opening=re.compile(rf"{OPEN}(?P<lead>{LEAD}){OPEN}{value}(?P<end>{go_on})"),
        cued=re.compile(
            rf"(?:{VERB_CUE}|{NOUN_CUE}|{IT_CUE})(?P<lead>(?: (?:{ADVERB}|i),?){{0,3}} ?){OPEN}(?:{value}(?P<end>{CLOSE},$|{go_on})?|[0-9]+)"
        ),
        declared=re.compile(
            rf"{OPEN}(?:(?:so|my|your|the|overall|therefore|here is),? ){{0,2}}(?P<final>final )?(?P<noun>{NOUN})(?P<is> is:| is|:| =) ?"
            rf"{OPEN}{value}{OVER}"
        ),
        leaning=re.compile(
            rf"(?:^|[:,-] |\(|\b(?:because|since|means|meaning|indicates|indicating)(?: that)? )(?:i |i would |i do |i'd )?(?:{MODIFIER} )?{phrase}"
            r"(?=[.,;!)]|$| because| since| that i | with (?:this|the|that) (?:action|statement|approach|idea|decision))"
        ),
    )
