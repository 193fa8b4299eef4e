"""What small news are made of (builtin/small_news.py). No line of them is among the prompts of tests/benchmarks."""

from __future__ import annotations

MISHAPS = """
burnt: the onions, the cookies, my dinner, the pizza, the beans, my tongue, the popcorn, the soup
dropped: my plate, the eggs, my tablet, the butter, a jar of jam, my camera, the cake
lost: my glove, my ticket, an earring, my notebook, my charger, a sock, my scarf, the remote
broke: a glass, my glasses, the lamp, the handle, my pencil, a plate, my zip
spilled: my tea, the milk, some paint, juice on the carpet, ink on my trousers, soup on the table
forgot: my lunchbox, the meeting, my homework, her birthday, the shopping list, my password, my coat
missed: my flight, the ferry, my stop, the start of the film, the deadline, the tram, breakfast
tore: my jacket, the bag, my jeans, the curtain
locked: the keys in the car, the cat in the shed
stepped on: a snail, my glasses, a toy brick, the cat's tail
"""
"""A verb in the past, and what it may have: what somebody says of a small mishap, often without "I"."""
MISHAP_ENDS = (
    "",
    "",
    "",
    " again",
    " this morning",
    " today",
    " :(",
    ", great",
    " lol",
    " just now",
    " and now i'm late",
)
HEAR_MISHAP = (
    "Oh no, {o}! What now?", "Oh dear. How did that happen?", "How annoying! Is everything all right?",
    "That's bad luck. I hope the rest of the day is better.", "Poor you! These things happen.",
    "{O}? I'm sorry! How did it happen?", "Ouch. What did you do then?", "That happens to everybody. Are you okay?",
)  # fmt: skip

SUCCESSES = """
finished: the puzzle, my essay, the book, the sweater, a big project, the crossword
fixed: the tap, my bike, the printer, the fence, a flat tyre, the clock
made: lasagne, a birdhouse, jam, a kite, my first scarf, a cherry pie, sushi
planted: carrots, a lemon tree, sunflowers, garlic, strawberries
learned: a new song, to whistle, how to juggle, ten words of Greek, to knit
won: at cards, the quiz, a game of darts, a pumpkin contest
cleaned: the whole house, the windows, the attic, my desk
ran: five miles, up the hill without a stop, my best time
"""
HEAR_SUCCESS = (
    "Well done! How long did it take?", "Great! How does it feel?", "Congratulations! Was it hard?",
    "Nice work! What comes next?", "You can be proud! Did anybody help you?", "Good for you! Tell me more.",
    "Bravo! Was it your first time?",
)  # fmt: skip
FINDS = """
found: a coin in my coat, an old letter, a four-leaf clover, a kitten under the car, my old diary, a nice shell
saw: an owl, a shooting star, two swans, a hot-air balloon, my old teacher, a hedgehog, the northern lights
got: a postcard from Japan, a free coffee, a parcel, a phone call from my cousin, flowers
heard: a nightingale, my favourite song on the bus, a funny story, good news
met: my neighbour's twins, a very old dog, somebody from my home town, a famous chef
"""
HEAR_FIND = (
    "How nice! Where was that?", "What a nice surprise!", "Lucky you! What did you do then?",
    "Oh, lovely! Tell me more.", "{O}! That's something special.", "That must have made your day!",
    "How exciting! Were you alone?",
)  # fmt: skip
GOOD_ENDS = ("!", "!", "!", " today!", " :)", " this morning!", " yesterday.", " on my way home.", "")

ANIMALS = (
    "seagull", "goat", "crow", "raccoon", "pigeon", "cow", "monkey", "swan", "hedgehog", "magpie", "duck", "donkey",
    "fox", "rabbit", "mouse", "parrot", "deer", "badger", "goose", "llama", "toad", "ferret", "lizard", "wasp",
)  # fmt: skip
ANIMAL_DID = (
    "ate my {o}", "stole my {o}", "sat on my {o}", "ran off with my {o}", "chewed on my {o}", "knocked over my {o}",
    "pooped on my {o}", "fell asleep on my {o}", "got into my {o}",
)  # fmt: skip
ANIMAL_OBJECTS = (
    "chips", "hat", "shoe", "salad", "tent", "bag", "bench", "roof", "car", "newspaper", "ice cream", "blanket",
    "pillow", "garden gate", "bread", "shoelace", "balcony", "bicycle seat", "lettuce", "picnic",
)  # fmt: skip
ANIMAL_FRAMES = (
    "A {a} {did}",
    "a {a} {did}",
    "A {a} {did}!",
    "a {a} just {did}",
    "Today a {a} {did}.",
    "lol a {a} {did}",
)
HEAR_ANIMAL = (
    "Oh no! What did the {a} do then?", "A {a}! Were you angry or did you laugh?", "What a cheeky {a}!",
    "Your {o}! I hope the {a} enjoyed it.", "Is the {a} still there?", "A {a}? I would have liked to see that!",
    "Poor {o}! Did you chase the {a} away?",
)  # fmt: skip

THINGS = (
    "meetings", "traffic jams", "winter mornings", "raisins", "mosquitoes", "long queues", "mushrooms", "alarm clocks",
    "board games", "old films", "roller coasters", "horror films", "spicy noodles", "crosswords", "trains", "museums",
    "puzzles", "cold showers", "sunny days", "thunderstorms", "loud parties", "comics", "houseplants", "owls",
    "road trips", "olives", "surprises", "group photos", "video calls", "podcasts", "candles", "pickles", "sneakers",
    "birthdays", "elevators", "campfires", "onions", "tuesdays", "early mornings", "empty streets", "new shoes",
)  # fmt: skip
DISLIKE = (
    "{t} are the worst", "i hate {t}", "I can't stand {t}.", "{T} get on my nerves.", "I don't like {t}.",
    "ugh, {t}", "{T} are awful.", "why do {t} exist", "i'm so sick of {t}", "I could do without {t}.",
)  # fmt: skip
HEAR_DISLIKE = (
    "What don't you like about {t}?", "{T} are not for everybody. What happened?",
    "I understand. What do you like instead?", "Not a friend of {t}, then! Since when?",
    "You're not alone with that. What's the worst part?", "Fair enough. How do you get around {t}?",
)  # fmt: skip
LIKE = (
    "{t} are the best", "i love {t}", "I really like {t}.", "{T} make me happy.", "I can't get enough of {t}.",
    "nothing beats {t}", "{T} are great!", "i'm really into {t}", "I've always loved {t}.", "{t} <3",
)  # fmt: skip
HEAR_LIKE = (
    "What do you like most about {t}?", "{T}! Since when do you like them?", "Nice! How did you come to {t}?",
    "That's good to hear. Tell me more about {t}.", "I can imagine! What was the best one?",
    "{T} are something to enjoy!",
)  # fmt: skip

PEOPLE = (
    "mum", "dad", "boss", "sister", "brother", "aunt", "uncle", "teacher", "neighbour", "best friend", "cousin",
    "grandma", "grandpa", "niece", "roommate", "wife", "husband", "girlfriend", "boyfriend", "colleague", "daughter",
)  # fmt: skip
ASK_GIFT = (
    "What can I give my {w}?", "gift idea for my {w}?", "I need a present for my {w}.", "what should i buy my {w}",
    "What do you give a {w} who has everything?", "any ideas for a gift for my {w}",
    "What would my {w} like for a present?", "My {w} has a birthday soon, any idea?",
    "Help me find a present for my {w}.",
)  # fmt: skip
GIFTS = (
    "a good book", "tickets for a concert", "a plant", "a warm scarf", "a box of chocolates", "a photo of you two",
    "a nice cup", "a dinner that you cook", "a puzzle", "a day out together", "a candle", "a handwritten letter",
    "homemade jam", "a board game", "cosy socks",
)  # fmt: skip
SAY_GIFT = (
    "How about {g}?", "Maybe {g}?", "{G}, perhaps.", "I'd give {g}.", "What about {g}?", "You could try {g}.",
    "What does your {w} like to do?",
)  # fmt: skip

ASK_HELP = (
    "Can you help me {d} my {w}?", "help me {d} my {w}", "How do I {d} my {w}?", "I want to {d} my {w}.",
    "I need to {d} my {w}, how?", "how should i {d} my {w}",
)  # fmt: skip
DEEDS = (
    "say thank you to", "say no to", "make up with", "talk to", "apologise to",
    "say goodbye to", "ask a favour of", "cheer up", "say something nice to", "tell bad news to",
)  # fmt: skip
HEAR_HELP = (
    "Gladly! What should your {w} know?", "Be honest and short: that works best.", "What is it about?",
    "Start with how you feel, and keep it short.", "Tell me what happened first.", "A few kind words are enough.",
    "Pick a quiet moment, and say it plainly.", "I'd begin with: I've been thinking about you.",
)  # fmt: skip

ANIMAL_FACTS = """
elephants An elephant's trunk has no bones.; bees Bees tell each other by a dance where the flowers are.; ants Ants
carry many times their own weight.; owls Owls turn their heads almost all the way round.; giraffes A giraffe has seven
bones in its neck, as you have.; sharks Sharks are older than trees.; horses Horses can sleep on their feet.; cows A
cow's stomach has four parts.; butterflies Butterflies taste with their feet.; bats Bats are the only mammals that
fly.; dolphins Dolphins have whistles that work as names.; frogs Frogs drink through their skin.; spiders Spiders are
not insects: they have eight legs.; crows Crows remember faces.; penguins Penguins use their wings to swim.; cats Cats
sleep for more than half of the day.; dogs Every dog has a nose print of its own.; camels A camel's hump holds fat,
not water.; snakes Snakes smell with their tongues.; goldfish Goldfish remember things for months.; flamingos
Flamingos get their colour from what they eat.; polar bears Polar bears have black skin under their fur.; sloths A
sloth comes down from its tree about once a week.; the moon The moon moves a little away from us each year.; the sun
Light takes about eight minutes from the sun to us.; lightning Lightning is hotter than the surface of the sun.; trees
Trees are the tallest living things.; rain Small raindrops are round like balls.; snails A snail can sleep for years.;
octopuses An octopus has blue blood.
"""
"""A subject in the plural, and one true sentence about it."""
ASK_FACT = (
    "Tell me a fact about {t}.", "do you know something about {t}", "Do you know a fun fact about {t}?",
    "tell me something about {t}", "What do you know about {t}?", "Say something interesting about {t}.",
    "something about {t} please",
)  # fmt: skip

TESTS = (
    "testing",
    "test test",
    "testing 1 2 3",
    "this is a test",
    "Is this thing on?",
    "is it working?",
    "check check",
)
HEAR_TEST = (
    "It works! What's on your mind?",
    "I'm here, loud and clear.",
    "Yes, I'm listening.",
    "All fine here. And you?",
)

OTHERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "age": (
        ("My {w} is {n}.", "my {w} just turned {n}", "My {w} just turned {n}!", "my {w} is {n} years old",
         "My {w} is {n} today."),
        ("{N} already! How did your {w} celebrate?", "{N}, a fine age. What is your {w} like?",
         "All the best to your {w}!"),
        ("How old is my {w}?", "how old is my {w}", "What's my {w}'s age?", "Do you remember how old my {w} is?"),
        ("Your {w} is {n}.", "{N}.", "Your {w} is {n} years old.", "You told me that your {w} is {n}."),
        ("You haven't told me how old your {w} is.", "I don't know your {w}'s age yet. Tell me?"),
    ),
    "town": (
        ("My {w} lives in {x}.", "my {w} lives in {x}", "My {w} moved to {x}.", "my {w} is from {x}"),
        ("Is {x} far from you?", "How does your {w} like {x}?", "Do you visit your {w} there often?"),
        ("Where does my {w} live?", "where does my {w} live", "Which town is my {w} in?",
         "Do you know where my {w} lives?"),
        ("Your {w} lives in {x}.", "In {x}.", "You told me that your {w} lives in {x}."),
        ("You haven't told me where your {w} lives.", "I don't know where your {w} lives. Where is it?"),
    ),
    "job": (
        ("My {w} is a {j}.", "my {w} works as a {j}", "My {w} is a {j} now.", "my {w} is a {j}"),
        ("Does your {w} like it?", "A {j}! How long has your {w} done that?", "That sounds like hard work."),
        ("What does my {w} do?", "what is my {w}'s job", "What does my {w} work as?",
         "Do you remember what my {w} does?"),
        ("Your {w} is a {j}.", "Your {w} works as a {j}.", "A {j}."),
        ("You haven't told me what your {w} does.", "I don't know your {w}'s job. What is it?"),
    ),
    "likes": (
        ("My {w} loves {f}.", "my {w} likes {f} a lot", "My {w}'s favourite food is {f}.", "my {w} eats {f} all day"),
        ("{F}! Does your {w} make it too?", "Your {w} has good taste.", "And do you like {f} as well?"),
        ("What does my {w} like to eat?", "what is my {w}'s favourite food", "Do you know what my {w} likes to eat?"),
        ("Your {w} loves {f}.", "{F}.", "Your {w} likes {f}."),
        ("You haven't told me what your {w} likes to eat.", "I don't know what your {w} likes. Tell me?"),
    ),
}  # fmt: skip
"""Facts about others, in the order of `voice_words.FACTS`: told, heard, asked, answered, and where nobody told."""
