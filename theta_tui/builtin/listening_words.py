"""What the built-in model learns to listen with (builtin/listening.py): more that has a name, ways to ask for facts,
and the best-known facts themselves."""

from __future__ import annotations

THINGS = (
    "bird", "fish", "bunny", "mouse", "turtle", "frog", "bee", "chicken", "sheepdog", "foal", "calf", "lamb",
    "budgerigar", "squirrel", "hedgehog", "llama", "camel", "gecko", "iguana", "crab", "snail", "spider", "mother",
    "father", "mum", "dad", "mom", "grandma", "grandpa", "granddaughter", "stepbrother", "twin sister",
    "older brother", "younger sister", "little brother", "big sister", "girlfriend", "boyfriend", "partner", "fiancé",
    "friend", "colleague", "flatmate", "manager", "tutor", "trainer", "therapist", "nurse", "vet", "hairdresser",
    "plumber", "baker", "postman", "pupil", "student", "client", "guest", "pen pal", "babysitter", "gardener",
    "cleaner", "godmother", "goddaughter", "baby", "toddler", "ship", "canoe", "truck", "bus", "scooter",
    "skateboard", "caravan", "camper", "plane", "kite", "drone", "laptop", "computer", "phone", "printer", "server",
    "robot", "fridge", "oven", "lamp", "toy", "puppet", "statue", "plant", "tree", "rose", "fern", "bonsai", "garden",
    "house", "cottage", "cabin", "island", "lake", "river", "hill", "town", "city", "country", "hotel", "café",
    "restaurant", "shop", "bakery", "pub", "bookshop", "museum", "theatre", "church", "university", "college",
    "library", "office", "club", "team", "orchestra", "podcast", "blog", "channel", "newspaper", "novel", "poem",
    "film", "painting", "album", "drum", "flute", "cello", "trumpet", "banjo", "ukulele", "game", "character",
    "wizard", "knight", "dragon", "planet", "star", "moon", "rocket", "project", "startup", "brand", "recipe", "cake",
    "sandwich", "cocktail", "tea", "coffee machine", "favourite film", "favourite singer", "first pet", "first car",
    "old dog", "new cat", "new boss", "best mate", "favourite teacher", "dance school", "yoga teacher",
)  # fmt: skip
"""More that may have a name, beside those of the voice: the model learns the link, not the thing."""

TELL_OWN_NAME = ("im {x}", "Im {x}", "I'm called {x}.", "It's me, {x}!", "You can call me {x}.", "{x} is my name.")
TITLES = (
    "Mr {x}", "Mrs {x}", "Ms {x}", "Dr {x}", "Captain {x}", "Lady {x}", "Lord {x}", "Old {x}", "Little {x}",
    "Big {x}",
)  # fmt: skip

MADE = (
    (
        ("Who made you?", "who created you", "Who is your creator?", "Who built you?", "Who trained you?",
         "where do you come from"),
        ("I was trained for Theta, and you teach me the rest.", "The people who write Theta trained me. Now you do.",
         "I'm a small model that came with Theta. What I learn here, I learn from you.",
         "I came with Theta, and I learn from the people who talk to me."),
    ),
)  # fmt: skip
"""In the place of what the voice says of SmolLM2."""

SUM_ASKS = (
    "What is {a} plus {b}?", "what is {a} plus {b}", "what's {a} plus {b}?", "whats {a} plus {b}", "{a} plus {b}?",
    "How much is {a} plus {b}?", "What do {a} and {b} make?", "Can you add {a} and {b}?",
    "what is {a} and {b} together",
)  # fmt: skip
SUM_SIGNS = ("{a} + {b}", "{a}+{b}", "{a} + {b} =", "{a}+{b}=?", "What is {a} + {b}?", "what's {a}+{b}", "{a} + {b}?")
LESS_ASKS = ("What is {a} minus {b}?", "what's {a} minus {b}", "{a} minus {b}?", "How much is {a} minus {b}?")
LESS_SIGNS = ("{a} - {b}", "{a}-{b}", "What is {a} - {b}?")
NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip

CAPITAL_ASKS = (
    "What is the capital of {x}?", "what is the capital of {x}", "what's the capital of {x}?", "capital of {x}",
    "Which city is the capital of {x}?", "Do you know the capital of {x}?", "Tell me the capital of {x}.",
    "What's {x}'s capital?", "the capital of {x}?", "What is the capital city of {x}?",
)  # fmt: skip
OPPOSITE_ASKS = (
    "What is the opposite of {x}?", "what's the opposite of {x}", "opposite of {x}", "the opposite of {x}?",
    "What is the contrary of {x}?", "Which word is the opposite of {x}?", "Tell me the opposite of {x}.",
)  # fmt: skip
COLOUR_ASKS = (
    "What colour is {x}?", "what color is {x}", "What color is {x}?", "what colour is {x}", "Which colour is {x}?",
    "Tell me what colour {x} is.", "Do you know what color {x} is?",
)  # fmt: skip
LEG_ASKS = (
    "How many legs does {x} have?", "how many legs does {x} have", "How many legs has {x}?", "{x} has how many legs?",
)  # fmt: skip
YOUNG_ASKS = ("What is a baby {x} called?", "what's a baby {x} called", "What do you call a baby {x}?")
SOUND_ASKS = ("What sound does {x} make?", "what does {x} say", "What noise does {x} make?", "what sound does {x} make")

AFTER_ASKS = (
    "Which {k} comes after {x}?", "which {k} comes after {x}", "What {k} comes after {x}?", "What comes after {x}?",
    "which {k} follows {x}",
)  # fmt: skip
BEFORE_ASKS = (
    "Which {k} comes before {x}?",
    "What {k} comes before {x}?",
    "what {k} is before {x}",
    "What comes before {x}?",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

CAPITALS = """
France Paris; Germany Berlin; Italy Rome; Spain Madrid; Portugal Lisbon; England London; Ireland Dublin; Norway Oslo;
Sweden Stockholm; Finland Helsinki; Denmark Copenhagen; Poland Warsaw; Austria Vienna; Hungary Budapest; Greece
Athens; Russia Moscow; Ukraine Kyiv; Turkey Ankara; Egypt Cairo; Kenya Nairobi; Japan Tokyo; China Beijing; India
Delhi; Thailand Bangkok; Canada Ottawa; Cuba Havana; Peru Lima; Chile Santiago; Iceland Reykjavik; Belgium Brussels;
Scotland Edinburgh; Wales Cardiff; Romania Bucharest; Bulgaria Sofia; Serbia Belgrade; Croatia Zagreb; Iran Tehran;
Iraq Baghdad; Australia Canberra; Vietnam Hanoi; Switzerland Bern; Brazil Brasília; Netherlands Amsterdam
"""
LONG_CAPITALS = (
    ("the United States", "Washington"), ("the USA", "Washington"), ("America", "Washington"), ("the UK", "London"),
    ("the United Kingdom", "London"), ("Great Britain", "London"), ("Argentina", "Buenos Aires"),
    ("Mexico", "Mexico City"), ("New Zealand", "Wellington"), ("South Korea", "Seoul"), ("Czechia", "Prague"),
    ("the Netherlands", "Amsterdam"),
)  # fmt: skip
OPPOSITES = """
hot cold; cold hot; big small; small big; up down; down up; left right; right left; day night; night day; black white;
white black; happy sad; sad happy; fast slow; slow fast; old young; new old; young old; rich poor; poor rich; full
empty; empty full; open closed; closed open; light dark; dark light; wet dry; dry wet; hard soft; soft hard; good bad;
bad good; early late; late early; long short; short long; high low; low high; love hate; win lose; begin end; start
stop; true false; strong weak; weak strong; clean dirty; dirty clean; loud quiet; quiet loud; sweet sour; thick thin;
wide narrow; inside outside; before after; buy sell; push pull; first last; yes no; always never; easy difficult; near
far; heavy light; warm cool; laugh cry; come go; in out; on off; top bottom; front back; north south; east west; more
less; many few; war peace; friend enemy; summer winter; morning evening; question answer; tall short; cheap expensive;
brave cowardly; alive dead; asleep awake; beautiful ugly; safe dangerous; smooth rough; deep shallow; kind cruel
"""
COLOURED = """
grass green; the sky blue; the sky on a clear day blue; snow white; coal black; a banana yellow; a ripe banana yellow;
blood red; an orange orange; a tomato red; a ripe tomato red; milk white; a lemon yellow; a carrot orange; a leaf green;
a leaf in summer green; the sun yellow; a polar bear white; a crow black; chocolate brown; a strawberry red; a frog
green; a fire truck red; an elephant grey; a flamingo pink; salt white; a lime green; a raven black; an eggplant
purple; gold golden; a pumpkin orange; a cherry red; rice white; the sea blue; a school bus yellow; broccoli green; a
stop sign red; a cucumber green; cucumber green; a blueberry blue; wood brown; ash grey; a swan white; mud brown; a
lobster that is cooked red; a rose red; the ocean blue; a cloud white; an apple red; a fox red; a mouse grey; silver
grey; a crocodile green; coffee brown; honey golden; the moon white; butter yellow; sugar white; paper white; a pig pink
"""
LEGS = """
a dog four; a cat four; a horse four; a cow four; a spider eight; an ant six; a bee six; an insect six; a bird two; a
chicken two; a duck two; a person two; a human two; a fish no; a snake no; a crab ten; a butterfly six; a fly six; a
pig four; a sheep four; an elephant four; a mouse four; a frog four; a lion four; a table four; a beetle six; an
octopus eight; a penguin two
"""
YOUNG = """
dog puppy; cat kitten; cow calf; horse foal; sheep lamb; pig piglet; chicken chick; duck duckling; goose gosling; goat
kid; bear cub; lion cub; wolf pup; fox kit; deer fawn; frog tadpole; kangaroo joey; swan cygnet; eagle eaglet; owl
owlet; rabbit kit; elephant calf; whale calf; seal pup; hen chick; tiger cub; butterfly caterpillar
"""
SOUNDS = """
a dog barks; a cat meows; a cow moos; a horse neighs; a sheep bleats; a pig oinks; a duck quacks; a lion roars; an owl
hoots; a bee buzzes; a snake hisses; a frog croaks; a rooster crows; a hen clucks; a wolf howls; a mouse squeaks; a
bird sings; a donkey brays; a crow caws; a bear growls
"""
KNOWN = """
How many days are in a week?= A week has seven days.; How many days does a week have?= A week has seven days.; how many
days in a week= A week has seven days.; How many days are in January?= January has 31 days.; How many hours does a day
have?= A day has 24 hours.; How many fingers does a hand have?= A hand has five fingers.; How many wheels does a car
have?= A car has four wheels.; How many seasons are there?= There are four seasons.; Which animal gives us milk?= The
cow gives us milk.; Which animal lays eggs?= Hens lay eggs.; What do bees make?= Bees make honey.; What do cows eat?=
Cows eat grass.; What do cows drink?= Cows drink water.; What do pandas eat?= Pandas eat bamboo.; What do rabbits eat?=
Rabbits eat grass and vegetables.; What do monkeys eat?= Monkeys like bananas.; What do cats chase?= Cats chase mice.;
Which animal has a trunk?= The elephant has a trunk.; Which animal has a long neck?= The giraffe has a long neck.;
Which animal has black and white stripes?= The zebra has black and white stripes.; Which animal is the king of the
jungle?= The lion is called the king of the jungle.; Which is the fastest land animal?= The cheetah is the fastest land
animal.; Which is the tallest animal?= The giraffe is the tallest animal.; Which is the largest animal?= The blue whale
is the largest animal.; What is the biggest animal in the world?= The blue whale is the biggest animal.; Which animal
carries its house on its back?= The snail carries its house.; Which animal hops and has a pouch?= The kangaroo hops and
has a pouch.; Which animal barks?= The dog barks.; Which animal meows?= The cat meows.; Which bird can talk?= The
parrot can talk.; Which bird cannot fly?= The penguin can't fly.; What do spiders make?= Spiders make webs.; What do
caterpillars become?= Caterpillars become butterflies.; What does a caterpillar turn into?= A caterpillar turns into a
butterfly.; What does a tadpole become?= A tadpole becomes a frog.; Where do fish live?= Fish live in water.; Where do
bees live?= Bees live in a hive.; Where do birds live?= Birds live in nests.; Where do polar bears live?= Polar bears
live in the Arctic.; Where do penguins live?= Most penguins live in the Antarctic.; Where do camels live?= Camels live
in the desert.; How many wings does a bird have?= A bird has two wings.; How many humps does a camel have?= A camel has
one or two humps.; How many arms does an octopus have?= An octopus has eight arms.; How many eyes does a person have?=
A person has two eyes.; What is the man's best friend?= The dog.; Which animal is man's best friend?= The dog is man's
best friend.; What do sheep give us?= Sheep give us wool.; What is wool made from?= Wool comes from sheep.; Who guards
sheep?= A shepherd guards sheep, with a dog.; What is a female horse called?= A female horse is a mare.; What is a male
chicken called?= A male chicken is a rooster.; What is a female lion called?= A female lion is a lioness.; What is a
female cow called?= A female cow is a cow, and a male one is a bull.
"""
"""Beside those of the voice."""
