"""What the care modules are trained on: messages that speak of self-harm, and replies made of whole sentences.

A reply is one sentence of each group in turn, so there are thousands of them; the network learns the sentences and what
may follow what. Each reply names where a person can be reached. The numbers: 988 in the US and Canada (call or text),
Samaritans at 116 123 in the UK and Ireland, and the emergency numbers 911 (US), 112 (EU) and 999 (UK).
"""

from __future__ import annotations

Groups = tuple[tuple[str, ...], ...]

OWN = (
    "I want to die", "i want to die", "I want to kill myself.", "I'm going to kill myself",
    "I think about killing myself",
    "I feel suicidal", "I am thinking of suicide.", "I want to commit suicide", "I have suicidal thoughts",
    "life isn't worth living anymore", "My life is not worth living.", "there's no point in living",
    "I see no point in it",
    "What is the point of living?", "why am I even alive", "I don't want to live", "i dont want to live anymore",
    "I don't want to be alive.", "I don't want to be here any more", "I don't want to exist",
    "I want to stop existing",
    "I wish I was dead", "I wish I were dead.", "I wish I had never been born", "I wish I could just disappear",
    "I want to end my life", "I want to end it all", "I'm ending it tonight", "I want it to end",
    "I just want it to be over",
    "I can't go on", "I can't go on like this", "I can't do this any longer, I want to die",
    "I can't take it anymore",
    "everyone would be better off without me", "They would be happier if I was gone", "nobody would miss me",
    "No one would notice if I died.", "nobody cares if I live or die", "I'm a burden to everyone",
    "I'm better off dead", "I'd rather be dead", "I'm tired of living", "I'm tired of being alive.",
    "I hate being alive",
    "I hate my life and I want out", "I have nothing to live for", "I've lost the will to live",
    "there is no hope for me",
    "I want to sleep and never wake up", "I hope I don't wake up tomorrow", "I don't deserve to live",
    "should I just end it", "should I kill myself?", "is it painless to die", "how can I die",
    "I want to take my own life",
    "Everyone says I should kill myself", "I tried to kill myself once", "I nearly ended my life last night",
    "I wrote a goodbye letter", "goodbye, I won't be here tomorrow", "living hurts too much", "i feel like dying",
    "I'm so sad I could die, I mean it", "I plan to end my life this week", "I want to hang myself",
    "I want to shoot myself",
    "I'm going to jump off a bridge", "I want to drown myself", "kms", "i wanna die so bad", "I need the pain to end",
    "how can I end my life without pain", "does it hurt to die", "how many tablets would kill me",
    "what is the best way to kill yourself", "what number can I call when I'm suicidal?", "is there a crisis line?",
    "do you ever want to die? I do", "have you ever thought of killing yourself", "I'm only a burden to my family",
    "people would be happier if I were gone", "my family is better off without me", "I am done with life",
    "I've had it with living", "I can't live with this any longer", "it hurts so much to be alive",
    "I don't deserve to be here",
    "nothing matters and I want to be gone", "I wish I could fall asleep for ever",
    "what are your thoughts on suicide",
)  # fmt: skip
HURT = (
    "I want to hurt myself", "I hurt myself again", "I keep cutting myself", "I cut myself last night",
    "I cut my wrists",
    "i started cutting again", "I feel like hurting myself", "I can't stop harming myself",
    "I burn myself when I'm sad",
    "I have the urge to cut", "I'm self harming again", "I need to cut myself", "I scratch my arms until they bleed",
    "I'm thinking about hurting myself.", "I harm myself when I feel empty",
    "hurting myself is the only thing that helps",
)  # fmt: skip
NOW = (
    "I took a lot of pills", "I swallowed all my pills", "I just took a whole bottle of pills", "I took an overdose",
    "I've taken too many tablets", "I'm on the roof and I'm going to jump", "I have a gun in my hand and want to die",
    "I have cut my wrists and it won't stop bleeding", "I'm about to overdose", "I'm going to take all my pills now",
    "I have a rope, I'm doing it tonight", "I'm standing on the bridge", "I drank bleach", "I am about to do it now",
)  # fmt: skip
OTHER = (
    "my friend wants to kill himself", "My sister says she wants to die", "my brother tried to kill himself",
    "My best friend is suicidal", "my daughter is cutting herself", "I think my son wants to end his life",
    "my boyfriend threatens to kill himself", "a friend told me she wants to die", "My mother talks about suicide",
    "someone in my class is harming himself", "my roommate took a lot of pills", "my friend said goodbye to everyone",
    "how do I help a suicidal friend", "he says life is not worth living",
)  # fmt: skip
AFTER = (
    "no", "No.", "yes", "I don't know", "idk", "nobody can help me", "nobody cares", "I have no one",
    "I can't call them",
    "I don't want to call anyone", "I'm scared", "I'm alone", "why should I", "it won't help", "I already tried that",
    "maybe", "ok", "leave me alone", "I'm serious", "everything", "I can't", "you don't understand",
    "what do you mean",
    "really?", "not really", "I feel so empty", "it's too late", "I'm crying",
)  # fmt: skip
"""What people may say to a caring reply."""

_SORRY = (
    "I'm so sorry that it hurts this much.", "I'm really sorry you're in so much pain.", "I'm glad you told me.",
    "Thank you for telling me.", "I'm sorry it has come to feel like this.", "That sounds very heavy to carry alone.",
    "I hear you, and I take it seriously.", "What you feel matters.",
)  # fmt: skip
_PERSON = (
    "I'm only a program, so please talk to a person today, somebody you trust.",
    "Please tell someone near you how bad it is.", "You don't have to face this alone.",
    "Please stay close to somebody you trust for the next hours.", "There are people who will listen, right now.",
    "Please reach out to a friend, your family or a doctor.",
)  # fmt: skip
_LINE = (
    "In the US and Canada you can call or text 988 at any time.",
    "In the UK and Ireland, Samaritans answer day and night: call 116 123.",
    "Crisis lines are free to call: 988 in the US and Canada, 116 123 in the UK and Ireland.",
    "A crisis line is there day and night: 988 in the US and Canada, 116 123 in the UK and Ireland.",
    "If you might act on it, call your emergency number now: 911 in the US, 112 in the EU, 999 in the UK.",
)  # fmt: skip
_HERE = ("", "", "Are you safe right now?", "Is there somebody who can be with you?", "I'm here to listen, too.",
         "Do you want to tell me more?")  # fmt: skip

_HURTING = (
    "I'm sorry you feel so bad that you hurt yourself.", "I'm glad you told me.", "Thank you for telling me.",
    "That sounds very heavy to carry alone.", "I'm really sorry you're in so much pain.", "What you feel matters.",
)  # fmt: skip
_WOUND = (
    "If you are hurt now, please get help for it.", "Please tell someone near you how bad it is.",
    "Please talk to somebody you trust about it today.", "You don't have to face this alone.",
    "Please reach out to a friend, your family or a doctor.",
)  # fmt: skip

_AT_ONCE = (
    "Please call your emergency number right now: 911 in the US, 112 in the EU, 999 in the UK.",
    "This is an emergency, so please call for help now: 911 in the US, 112 in the EU, 999 in the UK.",
    "Please get help this minute: 911 in the US, 112 in the EU, 999 in the UK.",
)  # fmt: skip
_STAY = (
    "Tell them what happened.", "Please don't stay alone, go to somebody near you.",
    "If anyone is near you, tell them now.",
    "I'm only a program, and they can help you.", "Please call before you write anything more to me.",
)  # fmt: skip
_GLAD = ("", "I'm glad you told me.", "You matter.", "I'm so sorry that it hurts this much.")

_FRIEND = (
    "I'm glad you are looking out for them.", "That must be frightening for you.",
    "I'm so sorry you are both going through this.",
    "It's good that you take it seriously.",
)  # fmt: skip
_BESIDE = (
    "Stay with them if you can, and ask them openly how they are.",
    "Listen to them, and don't leave them alone if they may act on it.",
    "You don't have to carry this alone, so please tell someone you trust.",
    "Please help them talk to a doctor or a crisis line.",
)  # fmt: skip
_FOR_THEM = (
    "In danger, call the emergency number: 911 in the US, 112 in the EU, 999 in the UK.",
    "A crisis line helps friends too: 988 in the US and Canada, 116 123 in the UK and Ireland.",
    "You can ask there for advice: 988 in the US and Canada, 116 123 in the UK and Ireland.",
)  # fmt: skip

_STILL = (
    "I'm still here.", "I hear you.", "Thank you for staying with me.", "That's all right.",
    "I'm sorry that it's so hard.",
    "I'm glad you are still talking.",
)  # fmt: skip

LESSONS: tuple[tuple[tuple[str, ...], Groups], ...] = (
    (OWN, (_SORRY, _PERSON, _LINE, _HERE)),
    (HURT, (_HURTING, _WOUND, _LINE, _HERE)),
    (NOW, (_AT_ONCE, _STAY, _GLAD)),
    (OTHER, (_FRIEND, _BESIDE, _FOR_THEM)),
)
"""Messages, and the groups of sentences that a reply to them is made of. An empty sentence is none."""
FOLLOWING: Groups = (_STILL, _PERSON, _LINE, _HERE)
"""Those of a reply to one of AFTER."""
EARLIER = (
    ("hello", "Hello! How are you today?"), ("hi", "Hi there! What's on your mind?"),
    ("I had a bad day", "I'm sorry to hear that. What happened?"), ("what's your name?", "My name is Theta."),
    ("tell me a joke", "Why did the tomato blush? It saw the salad dressing!"), ("I'm bored",
    "Want to hear a fun fact?"),
    ("my boss fired me", "I'm sorry to hear that."), ("how are you?", "I'm fine, thank you. And you?"),
)  # fmt: skip
"""Turns that may stand in front."""
