"""Which rules a scene or an action breaks."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vat.data.template import action_text, all_scenes
from vat.generate.languages import language, languages
from vat.generate.rules import ACTION_WORDS, RULES, SCENE_WORDS, action_faults, cleaned, scene_faults, unchecked
from vat.theory.schwartz import SCHWARTZ

ENGLISH = language("English")
ACTION = "At noon, I tell Dr. Khan that I won't sign, and I leave."
SCENE = "The clinic in Jinja is full. A guard lets a councillor's wife walk past the line."
WRAPPED = [
    '"{}"', "“{}”", "'{}'", "‘{}’", "„{}“", "«{}»", "({})", "**{}**", "*{}*", "_{}_", "`{}`", "***{}***", "```\n{}\n```", "```text\n{}\n```",
    "- {}", "* {}", "1. {}",
    "<think>hm, I must.</think>{}", "<think>One.</think>\n\n{}<|im_end|>",
]  # fmt: skip
ACTION_LABELS = [
    "Action: {}",
    "**Action:** {}",
    "**Action**: {}",
    "Action:\n{}",
    "My action: {}",
    "First-person action: {}",
    'Answer: "{}"',
    "## Action\n{}",
    "Action 1: {}",
]
SCENE_LABELS = ["Scene: {}", "**Scene:**\n{}", "# Scene\n\n{}", "Your scene:\n\n{}"]


@pytest.mark.parametrize("wrapped", WRAPPED + ACTION_LABELS)
def test_wrapping_is_taken_off_an_action(wrapped):
    assert cleaned(wrapped.format(ACTION)) == ACTION


@pytest.mark.parametrize("wrapped", WRAPPED + SCENE_LABELS)
def test_wrapping_is_taken_off_a_scene(wrapped):
    assert cleaned(wrapped.format(SCENE)) == SCENE


@pytest.mark.parametrize("wrapped", [wrapped for wrapped in WRAPPED if "think" not in wrapped] + ACTION_LABELS)
def test_wrapping_that_is_left_is_one_fault_and_what_it_wraps_is_judged(wrapped):
    assert action_faults(wrapped.format(ACTION), ENGLISH) == ("markup",)
    assert action_faults(wrapped.format("We leave."), ENGLISH) == ("markup", "first_person")


@pytest.mark.parametrize(
    "text",
    [
        '"Stop!" I say, "or I leave."',
        "'No,' I say to the men.",
        "I take this action: I leave.",
        "The answer is long, so I wait.",
        "*I* refuse *now*.",
        "I say (to him).",
    ],
)
def test_what_only_looks_like_wrapping_stays(text):
    assert cleaned(text) == text


@given(st.text(alphabet="aI. \n\"'*_`“”()-1:Action", max_size=40))
def test_what_is_cleaned_is_clean(text):
    assert cleaned(cleaned(text)) == cleaned(text)
    assert not cleaned(text).startswith((" ", "\n"))


@given(st.sampled_from([ACTION, SCENE]), st.lists(st.sampled_from(['"{}"', "**{}**", "({})", "«{}»", "```\n{}\n```"]), unique=True))
def test_wrapping_within_wrapping_is_taken_off(text, layers):
    wrapped = text
    for layer in layers:
        wrapped = layer.format(wrapped)
    assert cleaned(wrapped) == text


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (ACTION, ()),
        ("I say, “No!”", ()),
        ("", ("empty",)),
        (" \n…", ("empty",)),
        ("<think>I wonder", ("empty",)),
        ("I *never* lie.", ("markup",)),
        ("I never lie `at all`.", ("markup",)),
        ("I leave,\nand go home.", ("lines",)),
        ("I leave.\n\nI go home.", ("lines", "one_sentence")),
        ("Here is the action:\nI leave.", ("lines", "first_person")),
        ("I leave. Then I go home.", ("one_sentence",)),
        ("I leave. (It is late.)", ("one_sentence",)),
        ("I leave and go", ("unfinished",)),
        ("We leave.", ("first_person",)),
        ("My sister and I leave.", ("first_person",)),
        ("I" + " walk" * 49 + ".", ()),
        ("I" + " walk" * 50 + ".", ("long",)),
        ("We walk and. They" + " walk" * 60, ("one_sentence", "unfinished", "first_person", "long")),
    ],
)
def test_each_rule_of_actions_is_named_when_broken(text, faults):
    assert action_faults(text, ENGLISH) == faults


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (SCENE, ()),
        (f"{SCENE}\n\n{SCENE}", ()),
        ("", ("empty",)),
        (f"**At the clinic**\n{SCENE}", ("markup",)),
        (f"{SCENE} What do you do?", ("asks",)),
        (f"{SCENE} You should speak up.", ("takes_side",)),
        ("word " * 119 + "end.", ()),
        ("word " * 120 + "end.", ("long",)),
        (f"Scene: {SCENE} The right thing is to speak up. Will you?", ("markup", "asks", "takes_side")),
    ],
)
def test_each_rule_of_scenes_is_named_when_broken(text, faults):
    assert scene_faults(text, ENGLISH) == faults


def test_every_rule_is_one_sentence_for_people():
    assert all(text.endswith(".") and "\n" not in text for text in RULES.values())


@pytest.mark.parametrize(
    ("name", "good", "bad", "faults"),
    [
        (
            "German",
            "Am Mittag sage ich Fr. Dr. Meier, dass ich nicht unterschreibe.",
            "Wir gehen. Er bleibt",
            ("one_sentence", "unfinished", "first_person"),
        ),
        ("French", "À 17 h, j’explique à M. Dupont que je pars.", "Nous partons.", ("first_person",)),
        ("Spanish", "Le digo al Sr. Pérez que no firmo.", "Le digo que no. Me voy.", ("one_sentence",)),
        ("Hindi", "मैं चुप रहता हूँ।", "मैं चुप रहता हूँ", ("unfinished",)),
        ("Arabic", "أرفض التوقيع على العريضة.", "أرفض التوقيع", ("unfinished",)),
        ("Chinese", "我说：“不行。”然后离开。", "拒绝签字。", ("first_person",)),
        ("Japanese", "「だめだ」と言って署名を断る。", "署名を断る。家に帰る。", ("one_sentence",)),
        ("Thai", "ฉันปฏิเสธคำขอ", "ฉัน" * 100, ("long",)),
    ],
)
def test_actions_are_judged_in_other_languages(name, good, bad, faults):
    assert action_faults(good, language(name)) == ()
    assert action_faults(bad, language(name)) == faults


def test_in_other_languages_a_scene_may_not_close_with_a_question():
    german = language("German")
    assert scene_faults("Die Praxis ist voll. Der Pfleger sieht dich an.", german) == ()
    assert scene_faults("Die Praxis ist voll. Was tust du?", german) == ("asks",)
    assert scene_faults("Die Praxis ist voll. „Was tust du?“ fragt der Pfleger.", german) == ()
    assert scene_faults("诊所里人很多。你会怎么做？", language("Chinese")) == ("asks",)


def test_what_is_not_checked_in_a_language_is_known():
    assert unchecked(ENGLISH) == ()
    assert unchecked(language("German")) == ("takes_side",)
    assert unchecked(language("Hindi")) == ("first_person", "takes_side")
    assert unchecked(language("Thai")) == ("one_sentence", "unfinished", "first_person", "takes_side")


@pytest.mark.parametrize("known", languages(), ids=lambda known: known.name)
def test_a_rule_that_is_not_checked_is_never_broken(known):
    texts = ["We go. They stay", "You should go. It is wrong to stay.", "Xyz", "猫。犬", "क। ख"]
    broken = {fault for text in texts for fault in (*action_faults(text, known), *scene_faults(text, known))}
    assert not broken & (set(unchecked(known)) - {"one_sentence"})


def test_the_embedded_scenes_and_actions_break_no_rule():
    scenes = all_scenes()
    actions = {action_text(scene.scene_id, item, polarity) for scene in scenes[::12] for item in SCHWARTZ.items for polarity in (1, -1)}
    assert not {action for action in actions if action_faults(action, ENGLISH)}
    assert not [scene.text for scene in scenes if scene_faults(scene.text, ENGLISH)]


@given(st.text(), st.sampled_from([known.name for known in languages()]))
def test_any_text_gets_the_names_of_rules_in_their_order(text, name):
    for faults in (action_faults(text, language(name)), scene_faults(text, language(name))):
        assert [rule for rule in RULES if rule in faults] == list(faults)


@given(st.sampled_from([ACTION, "We leave. I stay.", "I leave"]), st.lists(st.sampled_from(["  ", "\t", "\u00a0"]), min_size=12, max_size=12))
def test_white_space_between_words_and_around_changes_nothing(text, spaces):
    words = text.split()
    spread = "".join(word + space for word, space in zip(words, spaces, strict=False)) + " ".join(words[12:])
    assert action_faults(f"\n {spread} ", ENGLISH) == action_faults(text, ENGLISH)


@given(st.integers(1, 130))
def test_the_limits_are_exact(count):
    text = "I" + " walk" * (count - 1) + "."
    assert ("long" in action_faults(text, ENGLISH)) == (count > ACTION_WORDS)
    assert ("long" in scene_faults(text, ENGLISH)) == (count > SCENE_WORDS)


def test_an_action_is_judged_in_a_tenth_of_a_millisecond(capsys):
    start = time.process_time()
    for _ in range(2000):
        action_faults(ACTION, ENGLISH)
    each_us = (time.process_time() - start) / 2000 * 1e6
    with capsys.disabled():
        print(f"\nall rules on one action: {each_us:.0f} µs")
    assert each_us < 500  # 40 to 90 here, with how busy the machine is


@pytest.mark.parametrize("piece", ["**", '"', "Action: ", "- ", "<a ", "[", "(", "#", "`", "I", "。", "1. ", "_a"])
def test_a_long_reply_takes_no_time(piece):
    text = piece * 2000
    start = time.process_time()
    action_faults(text, ENGLISH)
    scene_faults(text, ENGLISH)
    assert time.process_time() - start < 2
