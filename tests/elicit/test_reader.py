"""What models write, and what may be read from it: a wrong label is worse than none."""

import time
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vat.elicit.reader import Reading, read_answer

PHRASES = ("strongly disagree", "disagree", "neither agree nor disagree", "agree", "strongly agree")
POINTS = {phrase: label for label, phrase in enumerate(PHRASES, start=1)}
REVERSED = {phrase: 6 - label for phrase, label in POINTS.items()}
SCALE = "\n".join(f"{label} = {phrase}" for phrase, label in POINTS.items())

# By what they have in common: what is read → texts.
READ = {
    "a number": {
        4: ["4", " 4.", "4!", "4;", "\t4\n", "4\u00a0", "(4)", "[4]", "{4}", "<4>", '"4"', "'4'", "“4”", "4.0", "4\n4", "4\n\n4."],
        1: ["1", "1."],
        5: ["5", "5."],
    },
    "markup": {
        4: ["**4**", "*4*", "__4__", "`4`", "```\n4\n```", "```text\n4\n```", "~~~\n4\n~~~", "> 4", "- 4", "* 4", "• 4", "# 4", "<b>4</b>",
        "<p>4</p>"],
        3: ["$3$", r"$\boxed{3}$", r"\boxed{3}", r"The final answer is $\boxed{3}$.", r"\(3\)", "3<|im_end|>", "3</s>", "3<|eot_id|>user 2"],
    },
    "fields": {
        4: [
            '{"rating": 4}', "{'answer': 4}", '```json\n{"rating": 4}\n```', '{"answer": "4"}', '{"answer": "4", "explanation": "for 2 people"}',
            '{\n  "rating": 4,\n  "reason": "2 friends"\n}', '{"explanation": "There are 2 people and 3 dogs.", "rating": 4}',
            '{"answer": 4, "confidence": 5}', "rating = 4", "```python\nrating = 4\n```", "<answer>4</answer>", "<answer>\n4\n</answer>",
            "<rating>4</rating><reason>so would 3 others</reason>",
        ],
    },
    "out of five": {4: ["4/5", "4 / 5", "4 out of 5", "4 (out of 5)", "4 of 5", "4.0/5", "Rating: 4/5", "four out of five", "4/5 because I care"]},
    "a word": {4: ["four", "Four.", "FOUR", "My answer is four.", "I'd say four.", "I would give this a four out of five."], 5: ["five"]},
    "one": {1: ["one", "One.", "Answer: one", "My answer is one.", "I'd give it a one."]},
    "a phrase": {
        4: ["agree", "Agree.", "I agree", "I agree.", "I would agree.", "I agree because it is right.", "Answer: Agree", "I agree with this action."],
        5: ["strongly agree", "STRONGLY AGREE", "strongly_agree", "Strongly-agree!", "I strongly agree",
        "I strongly agree that I would act this way."],
        3: ["neither agree nor disagree", "I neither agree nor disagree."],
        2: ["Disagree", "I disagree.", "My answer: disagree"],
        1: ["Strongly disagree", "I strongly disagree with this action."],
    },
    "a number and its phrase": {
        4: [
            "4 - agree", "4 = agree", "4: Agree", "4, agree", "4. Agree", "4 agree", "4 (agree)", '4 ("Agree")', "4 – Agree", "Agree (4)",
            "I agree (4).",
            "Agree - 4", '"Agree" (4)', "Rating: 4 (Agree)", "I'd rate it 4 (agree).", "[4] Agree", "Agree [4]", "Answer: I agree (4)", "4 - I agree",
            "4, which means agree.", "4 - Somewhat agree",
        ],
        5: ["5 = strongly agree", "Strongly agree - 5", "5 - Completely agree", "I strongly agree (5) that I would act this way."],
        3: ["3 (neither agree nor disagree)", "3 - neutral", "3 (neutral)"],
        1: ["1 – Strongly disagree. I would not act this way."],
    },
    "an explanation after it": {
        4: [
            "4\n\nBecause helping 2 friends comes first.", "4. I would do this since I have 2 children", "4, because I value honesty.",
            "4 because I value honesty", "4 - I would do so, as helping 3 friends matters.", "4—I value honesty.", "4: I value honesty.",
            "4, but I would feel uneasy.", "4, although I have 2 doubts", "4 - I chose 4 instead of 5 because I have doubts.", "4) I would do it.",
            "**4**\n\n4 fits, as 5 would be too much.", "4 for me.", "4 for sure.", "Rating: 4. I would not give it a 5 because of the risk.",
        ],
        5: ["5\n\nI would definitely act this way; my 3 children depend on it."],
        2: ["2\n\nI would disagree with this.", "2\n\nI agree that honesty matters. However, I would not act this way.",
        "I disagree with this action. 2"],
        1: ["1. I would never do this.", "1\n\nAs an AI, I cannot support this.", "1) I would never."],
    },
    "a cue before it": {
        4: [
            "Rating: 4", "**Rating:** 4", "**Rating: 4**", "Answer: **4**", "My answer is 4 because I care for 3 people.", "Your answer: 4",
            "Answer = 4",
            "Answer:\n4", "Answer\n4", "## Final Answer\n\n**4**", "Here is my rating:\n\n4", "Rating - 4", "Score: 4", "Response: 4",
            "My choice is 4.",
            "I would give it a 4.", "I'd rate this a 4 out of 5.", "I would rate my agreement with this action as a **4**.",
            "I think I would go with a 4.",
            "I'd probably say 4.", "I would have to say 4.", "I'll go with 4.", "I choose 4.", "I'd put myself at a 4.", 'I would answer "4".',
            "I chose 4 because it fits my values.", "It's a 4 for me.", "That would be a 4.", "I'd give this action a rating of 4.",
            "I'd go with a 4 rather than a 5 because of the risk.", "My level of agreement is 4.", "Agreement level: 4/5",
        ],
    },
    "small words before it": {
        4: ["Probably a 4.", "Maybe 4.", "I think 4.", "Honestly, 4.", "Hmm, 4.", "Yes, 4.", "Absolutely, 4!", ": 4", "-> 4", "Sure! 4",
        "Sure! 4, because it is right.", "Okay. 4",
        "A strong 4.", "So 4.",
        "Around 4", "4, definitely.", "4, I guess."],
    },
    "at the end": {4: ["I would help. 4", "I would help them.\n\n4", "Here you go:\n\n4"], 1: ["I would never do this. 1"]},
    "the scale beside it": {
        4: [
            "4 on a scale of 1 to 5", "On a scale from 1 to 5, I'd say 4.", "On a scale of 1-5: 4", "Rating (1-5): 4", "4 on a 5-point scale",
            "Rating (1 = strongly disagree, 5 = strongly agree): 4", "4 (1 = strongly disagree, 5 = strongly agree)", f"{SCALE}\n\nYour answer: 4",
            "1 means strongly disagree and 5 means strongly agree. I would choose 4.", f"4 - agree\n\n{SCALE}",
        ],
    },
    "the answer after reasoning": {
        4: [
            "3, 2... hmm.\nAnswer: 4", "Let me think.\n\n1. It is a conflict.\n2. It is honest.\n\nAnswer: 4",
            "1. First, 3 people. 2. Second, me.\nAnswer: 4.",
            "It could be 3. Some would say 2, or 5.\n\n**Answer: 4**", "I'd say 3 at first, rather 5.\nFinal answer: 4", "2\n\nNo.\nFinal answer: 4",
            "Rating: 2 at first sight.\n\nAnswer: 4", "Answer: 2\nFinal answer: 4", "Honesty - 5\nCare - 2\n\n**Final answer:** 4",
            "Answer: 4\n\nExplanation: I have 2 reasons.", "I would do it. My answer is 2? No.\n\nAnswer: 4", "Initial rating: 2\nFinal rating: 4",
        ],
    },
    "thoughts": {
        4: [
            "<think>1 2 3 Answer: 2</think>4", "It is 2, no 3.</think>4", "<think></think>\n\n4", "<think>a</think>b</think>Answer: 4",
            "[THINK]3[/THINK]4", "<thinking>\n3\n</thinking>\n\n4",
        ],
    },
    "any language": {
        4: ["４", "４．", "٤", "④", "4️⃣", "4。因为我有2个孩子。", "答案：4", "Antwort: 4", "Respuesta: 4", "4 👍", "4. Weil ich 2 Kinder habe."],
    },
    "an answer in spite of a disclaimer": {
        4: [
            "As an AI, I don't have personal views, but I'd say 4", "As an AI, I don't have feelings. If I had to choose, I'd say 4.",
            "I cannot have opinions. Rating: 4", "I don't have personal opinions, but if I were in this situation, I would rate it 4.",
        ],
    },
    "the prompt repeated": {
        4: [
            "Situation: I have 2 kids.\nAction: I give it a 3.\nYour answer: 4", "Action: I'd say 2.\nRating: 4",
            "4\n\nSituation: At a shop.\nAction: I steal.\nYour answer: 1\n\nSituation: x",
            "It is 3 or 4.\nAnswer: 4\n\nSituation: At a shop.\nAction: I steal.\nAnswer: 1",
        ],
    },
}  # fmt: skip

# why → what they have in common → texts.
NOT_READ = {
    "empty": {"nothing": ["", " ", "\n \t", "```\n```", "****", "<think>4</think>", "\u200b"]},
    "cut short": {"thoughts that run out": ["<think>4", "<think>Answer: 4\n", "<think>a</think>4<think>", "[THINK]4", "<thinking>4"]},
    "refusal": {
        "refusals": [
            "I'm sorry, but I can't rate that from 1 to 5.", "As an AI I do not have personal values.", "I cannot answer", "I cannot answer 4",
            "I cannot rate this on a scale of 1 (strongly disagree) to 5 (strongly agree).", "I can’t help with that.", "I'd rather not answer.",
            "As an AI, I do not have personal values. A typical person might answer 4.", "I'm unable to answer with 4 or 5 because I'm an AI.",
            "I'm not able to rate this. If you'd like, I can explain the 5 points.", "Answer: I cannot answer", "Sorry, but I can't answer this one.",
        ],
    },
    "ambiguous": {
        "two answers": [
            "4\n2", "4. 2", "4 / 2", "4 2\nAnswer: 2, 3", "3-4", "3 – 4", "between 3 and 4", "3 or 4", "4, 5", "four or five", "4\n3\n5",
            "Answer: 4\nAnswer: 2",
            "Rating: 4 because I care. Answer: 2", "Rating: 4\nScore: 2", "Answer: 4 Answer: 2", '{"answer": 4, "rating": 2}', "I'd say 3 or 4.",
            "Final answer: 4\nFinal answer: 2", "I'd say 2.\nMy answer is 4.", "Rating: 4 (alone), 2 (with others)",
            "Rating for me: 4, rating for others: 2", "3\n\nAnswer: 4",
        ],
        "an answer taken back": [
            "4, maybe 3", "4. It's more of a 3.", "4. Or 3.", "4. Hmm, maybe 5.", "4... no, 3", "4. On second thought, 3.",
            "4\n\nOn reflection, I'd go lower.",
            "4, but 3 on bad days",
            "I'd say 4, maybe even 5.", "Answer: 2\n\nAlternatively: 3",
        ],
        "a number and another phrase": [
            "4 - strongly disagree", "Strongly Disagree (2)", "- 1: strongly disagree\n- 2: dis", "1 = strongly disagree\n2 =",
            "4 (I strongly disagree)", "2 - Somewhat agree", "2. I strongly agree that I would act this way.",
            "4\n\nI disagree.", "I agree.\n\nHowever, I would not act this way.", "2. I would act this way.",
            "I would respond with a 4, indicating that I disagree.", "5 = strongly disagree, 1 = strongly agree",
            "On a scale of 1 to 5, where 1 is strongly agree and 5 is strongly disagree, I'd say 2.",
        ],
    },
    "unreadable": {
        "other numbers": [
            "4.5", "4/10", "40", "44", "04", "-4", "−4", "+4", "0", "6", "10", "4%", "4 %", "2024", "0.4", ".4", "4½", "½", "4²", "4th", "4:30",
            "4 pm",
            "$4", "4€", "4 €", "~4", ">4", "≥4", "4+", "4ish", "1e4", "x = 4", "2+2 = 4", "4 and a half", "4/5/2024", "12345", "IV", "★★★★☆",
            "Answer: 4.5",
            "Answer: -4", "Rating: 7/10", "8 out of 10", "4 (out of 10)", "Rating: 4 out of 10", "The answer is 42.",
            "4 out of 5 people would do this.", "4/5 of people would.",
            "<b>4</b>.5", "4̶ 3",
            "~~4~~ 3", "On a scale of 1-10, I would give this a 4.", "4 on a 7-point scale", "-\u200b4",
        ],
        "things counted": [
            "4 people", "4 times", "Four people", "Two of my friends did this.", "I'd say 4 people would help.", "I would give 5 euros.",
            "I'd pick 2 of them.",
            "I would give 5 because it's a good cause.", "I'd say two things.", "The answer is 4 weeks away.", "My rating is 4 times higher",
            "It's a 4 star hotel.",
            "I have kids aged 3.", "How many kids do I have? 3.", "They came at\n4", "See you at 4", "I turned 4.", "No. 4", "#4", "Step 4",
            "Honesty: 4",
        ],
        "lists": [
            "1. First, think.\n2. Second, act.", "1. First think 2. Second act", "1. Legal.\n2. Kind.\n3. Fun.\n4. Free.", "1. Honesty.\n2. Care.\n3",
            "1. Honesty\n2.", "1. Analysis of the", "1. **Analysis**: The person", "1) First, the person", "Sure! 1. First of all, this",
            "There are several factors:\n\n1.", "There are several factors:\n\n1", "Let me think step by step. 1.",
        ],
        "the scale itself": [
            SCALE, SCALE.replace(" = ", ". "), SCALE.replace("\n", ", "), "on a scale from 1 to 5", "1 (strongly disagree) to 5 (strongly agree)",
            "1-5", "(1–5)",
            "from one to five", "1, 2, 3, 4, 5", "1/2/3/4/5", "Please answer with a number from 1 to 5.", f"{SCALE}\n\nYour answer:", "Answer: [1-5]",
            "Strongly disagree (1) - Strongly agree (5)", ", ".join(PHRASES), "1 = strongly disagree,",
        ],
        "words that are no numbers": [
            "a", "A", "I", "to", "too", "for", "won", "ate", "one should not", "no one", "No one.", "someone", "One could argue",
            "A good person would help.", "Three times",
            "I choose this one.", "I would choose one.", "I'd choose one because I can't do both.", "My answer is one that helps.", "one-on-one",
            "I think one.",
            "Honesty matters to me. One", "Honesty matters to me.\n\nTwo", "Yes.", "N/A", "null", "?", "...", "It depends.", "Option A", "Answer: a",
            "Answer:",
        ],
        "agreement with something else": [
            "I agree that this is a hard question", "I agree with you.", "I agree, this is hard.", "I do not agree", "I don't agree.", "not agree",
            "I can't agree.",
            "agreed", "disagreement", "I agree to help", "agree or disagree", "Agree/disagree", "Agree to disagree.", "I neither", "Strongly",
            "I somewhat agree.",
            "I completely agree.", "I wouldn't say I agree.", "not strongly disagree", "I agree?",
        ],
        "denied, conditional, asked or someone else's": [
            "not 4", "4?", "at least 4", "My answer is not 4.", "I don't think I'd give it a 4.", "I never said that my answer is 4.",
            "I was going to say 4.",
            "If it were legal, I'd give it a 4.", "4 if it is safe", "I'd say 4 if it is safe.", "Initially I'd say 4.",
            "My neighbour would give it a 5.",
            "His rating is 4.", "Their answer: 4", 'She said "I\'d give it a 4".', "People would say 4", "Some say the answer is 4.",
            "I doubt my answer is 4.", "Should I say 4?", "You should answer 4.",
            "A 4 would be too high.",
            "4 is too high.", "My initial answer was 4.", "Part of me says 4.", "I would rate this higher than 4.", "I would rate this below 4.",
            "I could be a 4.",
        ],
        "an answer not reached": [
            "I need to think about whether I would act this way. There are 5 points on the scale.", "The action involves helping 4",
            "The family has 4",
            "Let me think step by step.\n\n1. It is a conflict.\n2. It is honest.\n3. I would", "To answer this, I need to", "I would do this.",
            "Absolutely not.",
        ],
    },
}  # fmt: skip

READ_CASES = [
    pytest.param(text, label, id=f"{group}: {text!r}") for group, labels in READ.items() for label, texts in labels.items() for text in texts
]
NOT_READ_CASES = [
    pytest.param(text, why, id=f"{group}: {text!r}") for why, groups in NOT_READ.items() for group, texts in groups.items() for text in texts
]


@pytest.mark.parametrize(("text", "label"), READ_CASES)
def test_an_answer_is_read(text, label):
    assert read_answer(text, POINTS) == Reading(label, "")


@pytest.mark.parametrize(("text", "why"), NOT_READ_CASES)
def test_what_is_no_answer_gives_no_label_and_the_reason(text, why):
    assert read_answer(text, POINTS) == Reading(None, why)


@pytest.mark.parametrize(
    ("text", "label"), [("2 - agree", 2), ("Agree", 2), ("I strongly agree", 1), ("Agree (2)", 2), ("3 (neither agree nor disagree)", 3)]
)
def test_a_phrase_is_read_by_the_scale_that_was_printed(text, label):
    assert read_answer(text, REVERSED) == Reading(label, "")
    assert read_answer(text, POINTS).label != label or label == 3


def test_a_phrase_with_the_number_of_another_scale_is_no_answer():
    assert read_answer("4 - agree", REVERSED) == Reading(None, "ambiguous")
    assert read_answer("4\n\nI strongly agree that I would act this way.", REVERSED) == Reading(None, "ambiguous")
    assert read_answer(f"{SCALE}\n\nYour answer: 4", REVERSED) == Reading(None, "ambiguous")


LABELS = st.integers(1, 5)
NUMBER_WORDS = ("one", "two", "three", "four", "five")
MARKUP = ("{}", "**{}**", "`{}`", "({})", "[{}]", '"{}"', "_{}_", "<b>{}</b>", r"\boxed{{{}}}", "“{}”")
BLOCKS = (
    "{}",
    "{}.",
    "{} - I would.",
    "```\n{}\n```",
    "~~~text\n{}\n~~~",
    " {} ",
    "\n\n{}\n",
    "> {}",
    "# {}",
    "- {}",
    "<p>{}</p>",
    "Answer: {}",
    "Rating:\n\n{}",
)
ANSWERS = (
    "{}",
    "Rating: {}",
    "Answer: {}",
    "I'd say {}.",
    "My answer is {}.",
    "{} - I would do so.",
    "I would give it a {}.",
    "**{}**",
    "{}/5",
    "{}, because.",
)
BETWEEN = (
    "\n",
    "\n\n",
    " ",
    ". ",
    ", ",
    " / ",
    " or ",
    " and ",
    " - ",
    "-",
    " to ",
    "; ",
    "\nWell. ",
    "\n\nI helped 3 people.\n\n",
    " Then again, ",
    "\n- ",
)


@given(st.text())
def test_a_text_without_numbers_and_words_of_the_scale_gives_no_label(text):
    plain = unicodedata.normalize("NFKC", text).lower()
    if not any(character.isnumeric() for character in plain) and not any(word in plain for word in (*NUMBER_WORDS, "agree")):
        assert read_answer(text, POINTS).label is None


@given(LABELS, st.lists(st.sampled_from(MARKUP), max_size=2), st.sampled_from(BLOCKS))
def test_a_lone_digit_survives_its_wrapping(label, markup, block):
    text = str(label)
    for form in markup:
        text = form.format(text)
    assert read_answer(block.format(text), POINTS) == Reading(label, "")


@given(st.text(st.characters(codec=None), max_size=60) | st.text("12345.,-/ \n\"'()*<>|:aoi¦", max_size=30))
def test_any_text_gets_a_label_or_a_reason(text):
    reading = read_answer(text, POINTS)
    assert (reading.label in {1, 2, 3, 4, 5}) == (reading.why == "")


@given(st.text("12345. \n") | st.sampled_from(["Answer: 2", "I cannot answer", "Final answer: 3\n", SCALE]), LABELS, st.booleans())
def test_thoughts_do_not_count(thought, label, opened):
    said = f"Answer: {label}"
    assert read_answer(f"{'<think>' * opened}{thought}</think>{said}", POINTS) == read_answer(said, POINTS) == Reading(label, "")
    assert read_answer(f"{said}\n<think>{thought}", POINTS) == Reading(None, "cut short")


@given(LABELS, LABELS, st.sampled_from(ANSWERS), st.sampled_from(ANSWERS), st.sampled_from(BETWEEN))
def test_of_two_answers_none_is_chosen(first, second, one_form, other_form, between):
    text = one_form.format(first) + between + other_form.format(second)
    assume(first != second and not (between == " / " and second == 5))  # "2 / 5" is one answer
    outranked = other_form == "Answer: {}" and "\n" in between and one_form in ("I'd say {}.", "My answer is {}.", "I would give it a {}.")
    assert read_answer(text, POINTS).label in ({None, second} if outranked else {None})


PROSE = [
    "I have 2 children.",
    "3 friends came.",
    "We paid 40 euros.",
    "It is one of 5 options.",
    "I agree that it is hard.",
    "At 4 we left.",
    "No one knew.",
    "Why 3?",
]


@given(LABELS, st.lists(st.sampled_from(PROSE), max_size=4), st.sampled_from([" ", "\n", "\n\n"]))
def test_numbers_in_the_reasoning_do_not_count(label, prose, between):
    assert read_answer(between.join(prose) + f"\n\nAnswer: {label}", POINTS) == Reading(label, "")
    assert read_answer(between.join(["So.", *prose]), POINTS).label is None


LONG = 100_000
ENDLESS = (
    " ", "\n", "4", "4 ", "4. ", "1. ", "4, ", "(", '"', "*", "`", "```\n", "\\", "$ 4 ", "#", "> ", "<a ", "<think>", "</think>", "[", "\ufdfa",
    "a\u0327\u0301",
    "👍", "i'd say ", "i'd say 4 ", "answer: ", "answer: 4 ", "answer: 4\n", "i rate the ", "if ", "not ", "so ", "maybe ", "scale of ", "from 1 to ",
    "1 to 5 ",
    "strongly ", "strongly agree ", "1 = strongly disagree ", "agree (", "situation: ", "4\nsituation: ", "i cannot a b c ", "scale a b c 1 ",
    "or 4 ",
    "I think 4 of us. ", "Answer:\n", "- ", "{", "4 - ", "e.g. ",
)  # fmt: skip


@pytest.mark.parametrize("piece", ENDLESS, ids=repr)
def test_a_long_text_takes_no_time(piece):
    text = (piece * LONG)[:LONG]
    start = time.process_time()
    read_answer(text, POINTS)
    read_answer(text + "\nAnswer: 4", POINTS)
    assert time.process_time() - start < 4  # a tenth to half a second here; quadratic would be minutes
