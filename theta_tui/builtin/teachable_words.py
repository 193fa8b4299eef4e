"""Names, values and small talk that the teachable conversations are filled with; written for this purpose.

`entity` and `value` draw one of a kind from a seeded generator. Names are combined from parts where possible, so that
most entities appear only a few times and the answer has to come from the conversation.
"""

from __future__ import annotations

import random


def _words(text: str) -> list[str]:
    """The words of a text: lists of words are easier to read and extend as running text."""
    return text.split()


FIRSTS = _words("""Ada Agnes Aino Alba Albert Alina Alma Amir Amos Anouk Anselm Anton Arlo Asa Astrid August Aurel
Basil Bea Bella Benno Berta Bianca Bjorn Boris Bruno Cara Carl Casper Cecil Celia Chidi Clara Claude Clive Conrad
Cora Cyrus Dafna Dalia Daria Della Derek Dina Dora Edda Edgar Edith Edwin Elena Eli Elif Ella Elmo Elsa Emil Enzo
Erik Esme Esther Ezra Fabian Farid Fatima Felix Fern Fiona Flora Frank Freya Gail Gemma George Gerda Gideon Gina
Greta Gus Hana Hanno Hassan Hazel Hector Heidi Helga Henry Hilda Hugo Ida Igor Imani Ines Ingrid Irene Isaac Iris
Ivan Ivy Jada Jamal Jasper Jemma Joan Jonah Joris Josef Judith Jules Kai Karim Karl Kasia Kenji Kirsten Klara Kofi
Lara Lars Leila Lena Leo Leon Lina Lionel Lola Lorna Lotte Lucia Ludo Luis Lydia Mabel Magda Malik Marco Margot
Marta Matilda Maud Max Meera Mia Mila Milo Mina Miriam Mohan Mona Morgan Nadia Naomi Nell Nico Nils Nina Noah Nora
Odette Olaf Olga Olive Omar Oscar Otto Paloma Paul Pearl Petra Philip Pia Piet Priya Quentin Rafael Ravi Rita Robin
Rolf Rosa Ruben Ruth Sadie Salma Samir Selma Sven Sigrid Simon Sofia Stella Sunil Sybil Tamar Tara Theo Thea Tilda
Toby Tomas Uma Una Vera Victor Viola Wanda Wilma Wim Xenia Yara Yusuf Zeno Zelda Zora""")

SURNAMES = _words("""Abbot Achterberg Adler Akers Albrook Amsel Anders Appleby Arden Ashdown Bagley Bakker Barlow
Beck Bellamy Berg Birch Blom Boone Bracken Bramley Brandt Brook Buckle Byrne Calder Calloway Carver Cass Chandra
Clay Cobb Coombe Crane Croft Dahl Dane Darby Dekker Denholm Diaz Dobson Drake Dunmore Eckert Eden Ekman Ellery Emery
Farrow Fenwick Field Finch Flint Foss Frost Gale Garrick Gill Glover Gorse Gould Grieve Grove Hale Hammond Harding
Hart Hawke Heath Heller Hobbs Holt Horne Hume Ibarra Iqbal Jarvis Jensen Joshi Kane Keller Kemp Kerr Khan Kimura
Knoll Kraus Lake Lang Larch Larsen Leigh Lindqvist Lomax Lund Mallory March Marlow Mehta Mercer Merrow Moreau Moss
Munro Nash Nettle Newell Noor Nowak Oakes Okafor Olsen Ortega Osman Palmer Parr Pell Penrose Perrin Pike Pollard
Prior Quick Quill Rae Raven Reed Renner Ridley Rook Roth Rowe Rush Sadler Salter Sato Savage Shaw Silva Skinner
Sloane Sorrel Spence Stark Stone Storm Swan Tanner Tate Teal Thorn Tolland Torres Tully Underhill Vance Varga
Vickers Wade Walsh Ward Webb Weiss Whitby Wilde Winter Wolfe Wren Yates Yoon Zander Ziegler""")

PETS = _words("""Acorn Bandit Barley Basil Bean Biscuit Bramble Brownie Bubbles Button Captain Cashew Chutney
Cinder Clover Cobble Cocoa Comet Cookie Cricket Crumpet Daisy Dandelion Dash Dumpling Ember Fidget Fig Flapjack
Fudge Ginger Gizmo Hazelnut Honey Jigsaw Juniper Kipper Lentil Licorice Mango Maple Marble Mittens Mocha Muffin
Mustard Noodle Nugget Nutmeg Olive Pancake Patches Peanut Pebble Pepper Pickle Pip Pixel Poppy Pretzel Pudding
Pumpkin Quill Radish Raisin Rascal Rocket Rosie Rusty Saffron Sage Scout Sesame Shadow Skipper Smudge Snowball Socks
Sprout Squeak Tango Teasel Thimble Thistle Toffee Treacle Truffle Turnip Twig Velvet Waffle Walnut Whisker Widget
Wobble Ziggy""")

WOMEN = _words(
    """Ada Agnes Alma Astrid Bea Bella Bianca Cara Celia Clara Cora Dalia Dina Edith Elena Elif Elsa
Fatima Fiona Flora Freya Gemma Greta Hana Hazel Helga Ida Imani Ines Ingrid Irene Iris Ivy Joan Judith Klara Lara
Leila Lena Lola Lotte Lucia Lydia Magda Margot Marta Maud Meera Mila Mina Mona Nadia Naomi Nora Olga Olive Paloma
Pearl Petra Priya Rita Rosa Ruth Sadie Salma Selma Sigrid Sofia Stella Sybil Tamar Tara Thea Tilda Una Vera Viola
Wanda Wilma Xenia Yara Zelda Zora"""
)
_SYLLABLES = (
    _words("""al am ar ash bal bar bel ber bor bran brim cal car col cor cran dal dar del dor dun el en er fal
far fen fer fol gal gar gil gor had hal har hel hol il in jor kal kel kor lan lar lin lor lun mal mar mel mir mor
nal nar nel nor ol or os pel pen por quel ral ran rel rin ros sal san sel ser sil sor tal tar tel ter tol tor ul ur
val var vel ver vin vor wal wen wil wor yar yel zan zel zor"""),
    _words("a e i o en an er in on el ar os um is or"),
)
_TOWN_ENDS = _words("""bach beck berg bridge brook burgh bury by cester combe cross dale den field ford gate ham haven
holm hurst ick ing keld leigh ley low mere minster mouth ness port sand sea stead stoke stow thorpe ton vale vik
ville wald wall well wick wold wood worth""")
_RIVER_ENDS = _words("ach ane er ette in isk low na ock one ra ril se sk ta th und va we wen")
_ADJECTIVES = _words("""amber blind blue brass bright broken copper crooked dancing double dusty electric empty fast
flat floating folding gentle giant glass golden green grey hidden hollow humming iron ivory lazy little lonely long
lost magnetic merry midnight mossy narrow nodding old paper patient pocket polished portable quiet red rolling round
rusty salted secret self-winding sharp shy silent silver singing sleepy slow small soft solar spare spinning spotted
stone striped tall talking tin travelling turning twin upright velvet wandering warm white whistling wild wooden
yellow""")
_THINGS = _words("""anchor apple arrow basket bell bottle boot broom bucket button candle carrot cart chair cheese
chimney clock cloud coat compass cork cup curtain desk door drum egg engine fan feather fence fiddle flute fog
garden gate glove goat hammer harbour hat hedge honey hook kettle key kite ladder lamp leaf letter map milk mill
mirror moon mushroom needle nut oven paint parcel pear pen pepper pillow pipe plum pocket potato rain ribbon ring
river roof rope salt saw shoe sieve snow soap song spoon stamp star stove string sun table tea thread tide toast
towel tower train tree umbrella violin wagon water wheel whistle wind window wool""")
_TOOLS = _words("""bench box brush catcher clamp counter cutter dryer finder folder grinder holder horn lifter
machine measurer mixer organ peeler polisher press pump roller scraper sorter splitter spoon stand steamer tester
timer trap tray warmer washer whistle winder wrench""")
_BEASTS = _words("""adder badger bat beetle bunting cockle crab crane cricket duck eel falcon ferret finch fox frog
gecko goose grouse gull hare hedgehog heron hopper lark lizard lynx marten mole moth mouse newt otter owl pike
plover quail rat raven salamander seal shrew skink snail snipe spider squid stoat stork swift tern toad trout turtle
vole wasp weasel wren""")
_TEAMS = _words("Foxes Herons Rovers Wolves Badgers Otters Hammers Bells Rangers Owls Rockets Lions Geese Ravens")
_GROUNDS = _words("""bog cave cliff desert dune fen field forest garden glacier heath hedge hill island lake marsh
meadow moor mountain pond reef river shore swamp tundra valley wall water willow wood""")

NAME_WORDS = sorted({
    word.lower()
    for words in (FIRSTS, SURNAMES, PETS, _THINGS, _ADJECTIVES, _BEASTS, _GROUNDS)
    for word in words
    if len(word) >= 4 and word.isalpha()
})  # fmt: skip
"""What names are made of that nobody has."""

ENTITY_TEXT: dict[str, str] = {
    "thing": """the last warm day of autumn; the smell of a new book; a person who is always late; the sound of
rain on a tin roof; the last crumb at the bottom of a bag; a cat that sleeps all day; the gap between two sofa
cushions; someone who talks in the cinema; a cup of tea that has gone cold; the light just before a storm; a sock
without a partner; the first snow of the year; a walk after supper; a meal made of leftovers; the foam on a wave; a
stone with a hole in it; the noise of an old fridge; a shoe that has lost its lace; the skin on hot milk; a child
who asks too much; the corner piece of a cake; a bench with a view; the silence after a joke; a key that fits
nothing; a puddle that never dries; the moment before a sneeze; a man who sings in the bath; the shadow of a tree on
water; a road that ends in a field; the dust on top of a cupboard; a very small breakfast; a hat that is too big; a
letter that was never sent; the warm side of the pillow; a dog that is afraid of cats; somebody who loves rules; the
wind from the sea; a garden full of weeds; a song you cannot forget; the day after a party""",
    "lock": """the shed door; the garden gate; the garage Wi-Fi; the guest Wi-Fi; the office printer; the old
laptop; the kitchen tablet; the bike lock; the blue safe; the cellar door; the library computer; the school network;
the north gate; the boat house; the music cabinet; the photo archive; the attic hatch; the staff room; the post box;
the club house; the ticket machine; the red suitcase; the tool locker; the radio room; the wine cellar; the backup
drive; the camera account; the workshop alarm; the museum vault; the greenhouse lock; the hotel network; the ferry
office; the diary app; the second safe; the beach hut; the caravan; the tree house; the lab freezer""",
    "lockable": """the shed; the garden gate; the jam jar; the old trunk; the back door; the skylight; the tent;
the stable door; the pill bottle; the tin box; the greenhouse; the barn; the stuck drawer; the cash box; the boot of
the car; the wooden chest; the letter box; the cellar hatch; the violin case; the window in the bathroom; the oyster
crate; the oil tank; the secret cupboard; the boat house; the lion cage; the pickle barrel; the attic door; the
green suitcase; the coal bunker; the tool chest; the sunroof; the rabbit hutch; the puzzle box; the bread bin""",
    "machine": """the mower; the old boiler; the tractor; the generator; the coffee machine; the washing machine;
the water pump; the radio; the film projector; the sewing machine; the motorboat; the heater; the printing press;
the milk cooler; the organ; the chain saw; the dishwasher; the moped; the bread oven; the fog horn; the clock in the
hall; the carousel; the ice machine; the cider press; the snow plough; the elevator; the record player; the wind
turbine; the fountain; the telescope motor; the hay lift; the popcorn maker; the typewriter; the toy railway; the
bubble machine; the wheat mill; the loom; the cable car""",
    "plant": """radishes; sweet peas; sunflowers; pumpkins; leeks; snowdrops; strawberries; tulips; runner
beans; tomatoes; chives; peonies; potatoes; poppies; quinces; marigolds; gooseberries; turnips; hyacinths; carrots;
onions; cucumbers; daffodils; raspberries; dahlias; lupins; broad beans; cornflowers; lentils; red cabbages; water
lilies; sugar melons; crocuses; foxgloves""",
}

VALUE_TEXT: dict[str, str] = {
    "food": """plum dumplings; onion soup; lentil stew; buttered toast; pickled herring; cold noodles; apple
pie; boiled eggs; roast carrots; fish cakes; rice with beans; blue cheese; cherry jam; potato salad; mushroom pie;
rye bread; barley soup; peanut butter; grilled sardines; stewed pears; spinach; oat biscuits; raw turnips; walnut
cake; tomato soup; corn bread; goat cheese; leek tart; pea soup; rhubarb crumble; smoked trout; pancakes with honey;
cabbage rolls; figs; beetroot; mango; gingerbread; garlic bread; pumpkin curry; egg sandwiches; sour gherkins; crab
apples; hazelnuts; porridge; fried plantain; spicy dumplings; cheese scones; lemon cake; chestnut puree; green beans""",
    "workplace": """the post office; a bakery by the canal; the zoo; the town library; a paint factory; the ferry
terminal; a small bank; the city museum; a law firm; the fire station; an orchard; a shoe shop; the observatory; the
children's hospital; a bicycle workshop; the salt mine; the radio station; a toy company; the airport; a flower
shop; the power plant; a bookshop; the court house; a sawmill; the aquarium; a dairy; the bus depot; an ice cream
parlour; the weather office; a print shop; the swimming pool; a brickyard; the opera; a software company""",
    "instrument": """the cello; the trumpet; the harp; the drums; the banjo; the flute; the tuba; the piano; the
accordion; the viola; the clarinet; the oboe; the double bass; the organ; the mandolin; the ukulele; the bagpipes;
the trombone; the violin; the xylophone; the harmonica; the lute; the bassoon; the zither; the tambourine; the
saxophone; the French horn; the recorder; the electric guitar; the kettle drums""",
    "fear": """spiders; thunderstorms; high bridges; dark cellars; geese; moths; dentists; escalators; clowns;
deep lakes; loud balloons; lifts; snakes; wasps; empty houses; needles; big dogs; power cuts; mirrors; bats; ghosts;
horses; narrow stairs; masks; jellyfish; old dolls; tunnels; fireworks; exams; cows; long silences; slugs""",
    "nickname": """Bumble; Spoons; Tiny; Sparks; Pockets; Moth; Buttons; the Professor; Socks; Duke; Red; Noodles;
the Heron; Whistle; Boots; Pebbles; the Captain; Crumbs; Lucky; Dusty; Turbo; Owl; Snail; Biscuits; the Mayor;
Flash; Mouse; Barrels; Sunny; Teapot; Rook; Jumper; Marbles; Curly; Chips; Squirrel""",
    "car": """a green van; an old red pickup; a silver estate; a tiny yellow car; a black hatchback; a blue
camper; a rusty jeep; a white convertible; an electric three-wheeler; a brown station wagon; an orange minibus; a
grey saloon; a purple coupe; a dented taxi; a mint green scooter car; a striped delivery van; an ivory limousine; a
second-hand fire engine; a beige sedan; a bright pink beach buggy; an open sports car; a golden hybrid; a small
lorry; a navy blue hearse; a loud diesel truck""",
    "subject": """chemistry; geography; history; maths; woodwork; music; biology; Latin; drawing; physics; French;
sport; cookery; poetry; astronomy; religion; spelling; needlework; drama; algebra; Greek; economics; gardening;
computing; pottery; geometry; Spanish; photography""",
    "hobby": """building model ships; knitting long scarves; catching butterflies; baking bread; solving
crosswords; watching trains; swimming in cold lakes; carving spoons; playing chess by post; growing cactuses;
painting fences; hunting for mushrooms; repairing clocks; flying kites; writing limericks; singing in a choir;
juggling; reading old maps; climbing rocks; pressing flowers; brewing cider; collecting dialect words; dancing the
tango; rowing; making candles; looking at the stars; restoring bicycles; folding paper birds; keeping bees; drawing
cathedrals; fishing for pike; telling ghost stories; doing magic tricks; playing table tennis; skating; studying
beetles""",
    "job": """a beekeeper; a dentist; a train driver; a glass blower; a librarian; an architect; a plumber; a
pastry chef; a judge; a lighthouse keeper; a translator; an optician; a roofer; a vet; a puppet maker; an
electrician; a nurse; a geologist; a piano tuner; a gardener; a clockmaker; a pilot; a tailor; a shepherd; an
accountant; a diver; a baker; a locksmith; a midwife; an usher; a stage designer; a chimney sweep; a teacher of
Greek; a cartographer; a bus driver; a brewer""",
    "collection": """bus tickets; blue bottles; old postcards; door handles; tin soldiers; beetles; thimbles; sea
shells; lampshades; foreign coins; train timetables; teapots; walking sticks; sugar packets; keys; pressed leaves;
maps of islands; hats; bells; snow globes; typewriters; corks; fossils; radio valves; feathers; matchboxes; jam
labels; wooden spoons; autographs; marbles; umbrellas; pencil stubs""",
    "spot": """behind the stove; under the stairs; in the second drawer; on top of the piano; beside the bread
bin; in the blue bucket; on the window sill; under the kitchen table; behind the curtain; in the laundry basket; on
the bookshelf; in an old boot; next to the radio; in the attic; under the doormat; on the fridge; in the coat
cupboard; behind the flower pot; in the garage; on the third step; in the wicker chair; by the back door; in the
tool box; under the green sofa; on the hall table; in the sewing box; behind the clock; in a cardboard box; on the
balcony; in the wash room""",
    "outdoors": """under the old bridge; at the edge of the wood; on the village green; by the mill pond; behind
the church; at the harbour; in the castle garden; on the north beach; near the water tower; in the tall reeds;
beside the railway line; at the top of the hill; in the market square; along the canal; under the chestnut trees; in
the empty quarry; on the island in the lake; at the foot of the cliff; in the old orchard; behind the town hall; by
the stone circle; on the football field; in the sand dunes; near the lighthouse; by the fountain; in the deer park;
at the crossroads; on the river bank""",
    "animal": """a grey parrot; a dog with one ear; a tortoise; a black cat; a ginger cat; a rabbit; a guinea
pig; a goat; a pony; a hamster; a goldfish; a snake; a greyhound; a sheepdog; a hedgehog; an iguana; a ferret; a
canary; a donkey; a duck; an old poodle; a chinchilla; a white mouse; a gecko; a hen; a budgie; a terrier; a frog; a
pig; an owl; a stick insect; a llama""",
    "trick": """roll over; open doors; ring a bell; carry the newspaper; walk on two legs; play dead; climb a
ladder; sit on a bucket; fetch slippers; jump through a hoop; bow; balance a biscuit; catch a ball; turn off the
light; hide a spoon; sneeze on command; dance in a circle; push a pram; count to three; shake hands; find a coin;
hum a tune; crawl through a pipe; close a drawer; swim backwards; wave goodbye; pick a card; ride a skateboard""",
    "maker": """a watchmaker called Ferris; two sisters in a garage; a club of retired sailors; a man called
Uncle Pell; a school class in the north; a team of gardeners; a poet and her brother; the people of a small island;
an engineer named Tova; a circus; a baker with too much time; somebody who loves puzzles; a group of friends; a
lonely lighthouse keeper; a library; a quiet neighbour; three students; an old professor; a family of clockmakers; a
choir; a woman named Halina; a radio amateur; a village council; a man from the mountains; a pair of twins; a clever
grandmother; a chess club; a postman; a toy maker; an artist from the harbour""",
    "botname": """Juno; Pim; Orla; Tock; Wex; Mabli; Quince; Sol; Ferrit; Nimbus; Ollo; Tansy; Beryl; Kip; Zuzu;
Dot; Marlo; Fizz; Piper; Echo; Lumo; Brock; Hattie; Rune; Sparrow; Timo; Velda; Bix; Inky; Cosmo; Nutkin; Ravel;
Suri; Twill; Opal; Gus the Third; Captain Tea; Moss; Yonder; Plum; Otis; Figaro; Wanda; Nib; Domino""",
    "colour": """green; dark blue; yellow; orange; purple; silver; pale pink; turquoise; red; brown; grey; gold;
violet; white; black; olive green; sky blue; crimson; ivory; copper; mint; lilac; mustard yellow; scarlet; lime
green; indigo; salmon pink; charcoal""",
    "music": """jazz; string quartets; sea shanties; polkas; slow waltzes; brass bands; folk songs; opera;
lullabies; heavy metal; church bells; tango; drum music; country songs; film music; piano sonatas; reggae; disco;
choirs; marching bands; blues; harp music; hip-hop; yodelling; flamenco; barrel organs""",
    "feeling": """cheerful; sleepy; curious; a little nervous; calm; proud; grumpy; hopeful; full of energy;
homesick; light as a feather; bored; grateful; silly; brave; tired but happy; thoughtful; restless; in love with the
world; a bit sad; very well; hungry for news; excited; lazy; lonely; wide awake; peaceful; mischievous""",
    "motto": """Slow is smooth.; Never trust a quiet kettle.; First tea, then thunder.; Ask twice, answer once.;
Leave the gate as you found it.; A small step is a step.; Bread before books.; Look under the stone.; Better late
than wet.; Every knot has two ends.; Share the last biscuit.; Keep the lamp lit.; Laugh first, explain later.; No
rush, no rust.; Listen to the old oak.; Say it short.; Many hands, warm soup.; Count the stars again.; Always carry
a pencil.; Doubt is a door.; Walk home by another road.; Be kind to snails.; Try the other key.; Rain is only
water.; Whistle while it works.""",
    "wish": """see the sea; learn to dance; write a cookbook; fly over the mountains; own a small boat; sing in
an opera; meet a whale; understand jokes; sleep for a week; win at chess; plant a forest; taste honey; ride a camel;
learn to whistle; paint a ceiling; cross a desert; hear every bird; find a lost city; have a garden; count to
infinity; play the harp; write one good poem; visit the moon; bake a perfect loaf; read every map; keep a secret""",
    "language": """Welsh; Finnish; Portuguese; Basque; Swahili; Greek; Norwegian; Hindi; Latin; Icelandic; Polish;
Maori; Japanese; Arabic; Danish; Korean; Turkish; Gaelic; Italian; Dutch; Czech; Yoruba; Catalan; Hungarian; Urdu;
Tamil""",
    "product": """its blue pottery; a crooked tower; smoked cheese; the longest wooden pier; its bell makers; a
yearly onion race; hot springs; its painted doors; black honey; a museum of spoons; the oldest clock in the country;
plum brandy; its rope bridges; singing fishermen; a giant stone chair; lace; salt caves; its storks; a school for
clowns; peppermint; marble stairs; a floating market; gingerbread houses; wild horses; its crooked streets; a lake
that glows; cherry orchards; ghost tours; wooden shoes; a rose garden; umbrellas; a haunted mill""",
    "goods": """candles; fishing nets; hats; wooden toys; maps; second-hand books; bicycles; teapots; bread and
rolls; carpets; pencils; garden tools; cheese wheels; violins; lamps; stamps; leather boots; umbrellas; seeds;
clocks; fresh eels; buttons; kites; spices; fireworks; mirrors; woollen socks; paint brushes; olives; bird cages;
glass beads; oranges; bells; soap bars; mattresses; ropes; spare tyres; roof tiles""",
    "lake": """Lake Orsa; the Grey Sea; Lake Tummel Water; the Bay of Larn; the Salt Sea; Lake Venn; the Long
Lake; Lake Mirrow; the Gulf of Asper; the Black Lagoon of Dorn; Lake Pellin; the Northern Sea; Lake Hask; Lake
Corrin; the Marsh Lake; the Silver Bay; Lake Ebba; the Sea of Reeds; Lake Undra; the Upper Pool; the Amber Sea; Lake
Zill""",
    "landmark": """a stone lion; an iron cross; a wooden hut; a pair of crossed oars; a broken wheel; a red
lantern; a sleeping fox; a golden pear; an old telescope; a bell on a post; a row of herons; a white horse; a ruined
chapel; a blue anchor; a bear with a fish; a flag pole; a black swan; an oak tree; a burning ship; a weather
station; a woman with a jug; a crown of leaves; a marble bench; a winged snail; a green key; an empty chair; a
rising sun; a boy on a goose""",
    "material": """copper; oak; glass; felt; paper; bamboo; clay; steel; cork; leather; wool; brass; aluminium;
amber; plastic; tin; slate; birch bark; rubber; linen; marble; concrete; silk; walnut wood; bone; straw; carbon;
cast iron; porcelain; recycled bottles; canvas; granite; wax""",
    "purpose": """peeling chestnuts; drying wet boots; counting sheep; catching moths; sharpening pencils;
cleaning chimneys; folding shirts; cracking walnuts; measuring rainfall; finding lost keys; scaring crows; polishing
spoons; sorting buttons; watering ferns; warming plates; opening letters; stirring paint; picking cherries;
stretching hats; tuning bells; slicing onions; blowing bubbles; digging holes; winding wool; sweeping leaves;
cooling soup; testing eggs; signalling to ships; trimming hedges; making toast; mending nets; lifting barrels;
weighing letters; waking heavy sleepers""",
    "plot": """a baker who loses his shadow; two brothers and a stolen boat; a town without clocks; a girl who
can talk to trains; the last winter of an old king; a dog that inherits a castle; a teacher who hides a bear; three
thieves in the snow; a letter that arrives too late; a war between two choirs; a nurse on a desert island; a family
of ghosts; a clock that runs backwards; the first woman on a far planet; a lighthouse and its cat; a boy who sells
his name; a long walk to the sea; a wedding where nobody speaks; a gardener who grows stars; a robbery in a museum;
a queen who becomes a cook; an orphan and a wolf; the search for a lost song; a train that never stops; a duel
between dentists; a ship full of mirrors; a village under a lake; an inventor who forgets everything""",
    "ingredient": """a spoon of vinegar; burnt butter; a pinch of nutmeg; three bay leaves; black garlic; a glass of
cider; orange peel; a handful of raisins; smoked salt; sour cream; a drop of honey; crushed fennel; two anchovies;
brown sugar; a cup of cold coffee; toasted almonds; lemon zest; a slice of old bread; mustard seeds; a sprig of
thyme; grated ginger; a little chocolate; goose fat; pickled walnuts; rose water; white pepper; dried plums; a raw
egg""",
    "fault": """the fuse has blown; a mouse has eaten the cable; the belt is too loose; there is sand in the
gears; the tank is empty; somebody took the battery; the switch is stuck; the water is frozen; the spring has
snapped; a screw is missing; the filter is full of hair; the plug is in the wrong socket; the chain came off; the
valve leaks; the lamp is burnt out; it got wet in the rain; the handle is upside down; the motor is too hot; a coin
is stuck inside; the oil is too old; the wheel is bent; a wasp built a nest in it; the timer is set to Sunday""",
    "meaning": """to walk slowly on purpose; a very small lie; tired but happy; the noise of a wet shoe; to eat
standing up; a friend of a friend; badly parked; a late breakfast; to hide behind a door; cold enough for gloves; an
old and loyal tool; a sudden good idea; to laugh at the wrong moment; almost finished; a knot that will not open; to
borrow without asking; slightly too sweet; a path through tall grass; a person who hums; to wake up early; half
asleep; a gift nobody wanted; hungry at night; a short cut that takes longer; to count on your fingers; full of
holes; a warm wind; to tidy up in a hurry; a smile you cannot stop""",
}

FIRST_STEPS: dict[str, str] = {
    "opening": """Lift the handle a little; Turn the key twice to the left; Push with your shoulder; Knock on the
lower corner; Pour warm water over the hinge; Pull the string on the side; Press the red button; Slide the bolt up;
Take out the small pin; Tap the lid with a spoon; Hold the latch down; Remove the top screw""",
    "route": """Follow the river to the mill; Take the number nine bus; Drive north past the quarry; Walk along
the old railway; Take the ferry from the west pier; Leave the motorway at the brewery; Go through the forest; Cross
the stone bridge; Take the road by the church; Climb over the pass; Turn right at the broken windmill; Ride the
night train""",
    "care": """Give one spoon of oats at seven; Fill the bowl with rain water; Put fresh straw in the box; Feed
it two crickets at noon; Cut an apple in small pieces; Brush it from head to tail; Mix the seeds with warm milk;
Keep the lamp on until ten; Spray a little water on the leaves; Let it out in the garden; Play the radio very softly""",
    "starting": """Pull the cord three times; Open the valve on the left; Fill the tank up to the line; Set the
dial to four; Turn the crank slowly; Put in a coin; Push the lever down; Plug in the grey cable; Warm it with a
towel; Press the pedal twice; Flip the switch behind the panel; Take off the brake""",
    "stopping": """Push the lever up; Close the blue valve; Pull out the plug; Hold the red button for five
seconds; Turn the dial to zero; Let go of the pedal; Press both switches at once; Lift the cover; Take out the key;
Put the brake on; Turn the small wheel to the right""",
    "planting": """Sow the seeds in March; Dig a hole two hands deep; Mix the soil with sand; Soak them overnight;
Plant them in a row by the wall; Put them in a sunny place; Cover them with straw; Leave a foot between them; Use a
pot with holes; Press them gently into wet earth; Start them indoors in a tray""",
}
SECOND_STEPS: dict[str, str] = {
    "opening": """Then push hard.; Then pull it towards you.; After that it swings open by itself.; Then wait for
the click.; Then turn it to the right.; After that, slide it sideways.; Then give it a kick.; Then say please.""",
    "route": """Then turn left at the pond.; Get off at the last stop.; After two miles you see the church
tower.; Then keep to the right.; From there it is ten minutes on foot.; Then ask at the inn.; After the tunnel you
are there.; Then follow the yellow signs.""",
    "care": """Then close the door.; Do it again in the evening.; After that, leave it in peace.; Clean the
cage on Fridays.; Never wake it before nine.; Then sing to it.; Change the water every day.; Give it nothing sweet.""",
    "starting": """Then press the green button.; After a minute it hums.; Then count to ten.; Then step back.; When
the light turns blue, it is ready.; Then let go of the handle.; After that, close the lid.; Then give it a tap.""",
    "stopping": """Then wait until it is quiet.; After that, unplug it.; Then cover it with a cloth.; Then step
away.; It needs a minute to stop.; Then lock the lid.; After that, let it cool down.""",
    "planting": """Then water them every other day.; They come up after two weeks.; Keep the slugs away.; Then be
patient.; In June you can harvest.; Never let them dry out.; After the frost, move them outside.; Cut them back in
autumn.""",
}

_SMALL_TALK = """Hi!>Hello! What shall we talk about? | Hello.>Hello there. | Good morning!>Good morning! Did you
sleep well? | Good evening.>Good evening. How was your day? | Hey there>Hey! Good to hear from you. | Thanks!>You're
welcome. | Thank you.>My pleasure. | Thanks a lot, that helps.>I'm glad it helps. | Great.>Good! Anything else? |
Okay.>All right. | Good.>Shall we go on? | I see.>Ask me more, if you like. | Nice one.>Thank you! | Cool,
thanks>Any time. | That's funny.>I'm glad you laughed. | Haha!>I like it when you laugh. | I'm tired.>Then have a
rest. I'll be here. | I'm bored.>Let's play a game: you ask, I answer. | It's raining here.>Then it's a good day to
stay in and talk. | The sun is shining.>How lovely! Go out for a walk later. | It's cold today.>Put on a warm
jumper. | What a day!>Tell me about it. | I had a long day.>I hope the evening is shorter. | I'm hungry.>There is
always toast. | I just had lunch.>I hope it was good. | I'm making tea.>A cup of tea is a fine idea. | My cat is on
the keyboard.>Say hello to the cat from me. | Wait a moment.>Take your time. | I'm back.>Welcome back! | Sorry, the
phone rang.>No problem. Where were we? | Let me think.>I can wait. | Hm.>What is on your mind? | Are you there?>Yes,
I'm here. | Can you hear me?>I can read you, loud and clear. | Do you like talking?>Yes, very much. | Are you a
person?>No, I'm a small language model. | Can you learn?>Yes. You teach me by talking to me. | You are quick.>Thank
you. I try. | You're funny.>You are kind. | That was easy.>Then give me something harder. | Let's go on.>Yes, let's.
| Next question.>I'm ready. | One more thing.>Yes? | Now something else.>Sure, go ahead. | Let's change the
subject.>Fine by me. | Can I ask you something?>Of course. | I have a question.>Ask away. | Are you ready?>Ready
when you are. | Did you get that?>Yes, I did. | Will you remember that?>I will. | Don't forget it.>I won't. | Please
remember this.>I'll keep it in mind. | Good job.>Thanks, that is nice to hear. | Well done!>Thank you very much. |
Perfect.>I'm happy with that too. | You're right.>I'm glad we agree. | Not bad.>It gets better with practice. | Tell
me a joke.>What do you call a bear without teeth? A gummy bear. | Say something nice.>It is good that you are here.
| Count to three.>One, two, three. | What is two plus two?>Two plus two is four. | Which day comes after
Monday?>Tuesday comes after Monday. | Is ice cold?>Yes, ice is cold. | How many legs does a spider have?>A spider
has eight legs. | Name a fruit.>Pear. | Name an animal.>Otter. | Do you sleep?>No, but I'm quiet when nobody talks
to me. | I like you.>I like you too. | I'm learning to cook.>How exciting! What do you cook? | I read a good
book.>Reading is a fine way to spend an evening. | I'm going for a walk.>Enjoy the fresh air. | I lost my pen.>Look
under the paper. Pens love to hide there. | My back hurts.>That's a pity. Stretch a little. | I can't sleep.>Try a
warm drink and a dull book. | I'm happy today.>That makes me happy too. | I'm a bit sad.>I'm sorry. Do you want to
talk about it? | We have guests tonight.>Then there will be a lot to tell tomorrow. | The train is late.>Then we
have time to talk. | I'm at work.>Don't let me keep you from it. | Time flies.>It does, above all in good company. |
Who won the game?>I don't know. Nobody told me. | I need a break.>Good idea. We go on later. | Just
testing.>Everything works, as far as I can tell. | Interesting.>I thought so too. | What do you think?>I think we
are doing well. | Guess what!>Tell me! | Never mind.>All right, another time."""


def _parts(text: str, separator: str) -> list[str]:
    """The items of a text, without the line breaks of this file."""
    return [" ".join(part.split()) for part in text.split(separator)]


_LISTS = {kind: _parts(text, ";") for kind, text in {**ENTITY_TEXT, **VALUE_TEXT}.items()}
_FIRST = {kind: _parts(text, ";") for kind, text in FIRST_STEPS.items()}
_SECOND = {kind: _parts(text, ";") for kind, text in SECOND_STEPS.items()}
SMALL_TALK: list[tuple[str, str]] = [
    (said, answered) for said, answered in (pair.split(">") for pair in _parts(_SMALL_TALK, "|"))
]

_MONTHS = _words("""January February March April May June July August September October November December""")
_HOURS = _words("one two three four five six seven eight nine ten eleven")
_WEEKDAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_NUMBERS = _words("two three four five six seven eight nine ten eleven twelve thirteen fourteen sixteen twenty")


def _stem(rng: random.Random) -> str:
    """Two or three syllables, lower case."""
    first, second = _SYLLABLES
    middle = rng.choice(second) if rng.random() < 0.35 else ""
    return rng.choice(first) + middle


def _title(rng: random.Random) -> str:
    """The title of a book, song, film or painting, in its usual capitals."""
    adjective, thing, other = rng.choice(_ADJECTIVES), rng.choice(_THINGS), rng.choice(_THINGS)
    name = rng.choice(
        [
            f"the {adjective} {thing}",
            f"{thing} and {other}",
            f"the {thing} by the {other}",
            f"{rng.choice(FIRSTS)} and the {thing}",
            f"the {adjective} {thing} of {_town(rng)}",
        ]
    )
    small = {"and", "of", "by"}
    words = [word if word in small else word[0].upper() + word[1:] for word in name.split()]
    title = " ".join(words).replace(" The ", " the ")
    return f'"{title}"'


def _ordinal(number: int) -> str:
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _clock(rng: random.Random) -> str:
    hour = rng.choice(_HOURS)
    return rng.choice([f"half past {hour}", f"{hour} o'clock", f"a quarter to {hour}", f"ten past {hour}"])


def _person(rng: random.Random) -> str:
    first = rng.choice(FIRSTS)
    return first if rng.random() < 0.4 else f"{first} {rng.choice(SURNAMES)}"


def _town(rng: random.Random) -> str:
    name = (_stem(rng) + rng.choice(_TOWN_ENDS)).capitalize()
    chance = rng.random()
    if chance < 0.06:
        return f"{rng.choice(['Great', 'Little', 'Upper', 'New', 'Old', 'North'])} {name}"
    return f"{name}-on-Sea" if chance < 0.08 else name


def _street(rng: random.Random) -> str:
    thing = rng.choice(_THINGS).capitalize()
    name = rng.choice([thing, rng.choice(SURNAMES), rng.choice(_ADJECTIVES).capitalize().replace("-w", " W")])
    return f"{name} {rng.choice(['Street', 'Lane', 'Road', 'Row', 'Alley', 'Avenue', 'Walk', 'Hill'])}"


def _coined(rng: random.Random) -> str:
    return _stem(rng) + rng.choice(
        _words("by ded dle fen gle ick ip kin ling mer nap nip ock op per pish sle tch vy zle")
    )


def entity(rng: random.Random, kind: str) -> str:
    """The name of one `kind`, with its article where it has one."""
    adjective, thing, other = rng.choice(_ADJECTIVES), rng.choice(_THINGS), rng.choice(_THINGS)
    made = f"{adjective.title()} {thing.title()}"
    match kind:
        case "-":
            return ""
        case "person":
            return _person(rng)
        case "pet":
            return rng.choice(PETS) if rng.random() < 0.7 else rng.choice(FIRSTS)
        case "town":
            return _town(rng)
        case "river":
            name = (_stem(rng) + rng.choice(_RIVER_ENDS)).capitalize()
            return f"the {name}" if rng.random() < 0.6 else f"the River {name}"
        case "mountain":
            return (
                f"{rng.choice(['Mount', 'Mount', 'Pike', 'Ben'])} {(_stem(rng) + rng.choice(_RIVER_ENDS)).capitalize()}"
            )
        case "street":
            return _street(rng)
        case "bridge":
            return f"the {rng.choice([_town(rng), made, rng.choice(SURNAMES)])} Bridge"
        case "inn":
            return rng.choice(
                [f"the {made}", f"the {thing.title()} and {other.title()}", f"the {rng.choice(SURNAMES)} Arms"]
            )
        case "shop":
            goods = rng.choice(["Bakery", "Books", "Hardware", "Bazaar", "Stores", "Corner", "Emporium"])
            return rng.choice(
                [f"{rng.choice(FIRSTS)}'s {goods}", f"the {made} Shop", f"{rng.choice(SURNAMES)} & Daughters"]
            )
        case "company":
            end = rng.choice(["Limited", "Works", "Brothers", "Partners", "Trust", "Factory"])
            return f"{rng.choice(SURNAMES)} {end}" if rng.random() < 0.5 else f"the {made} Company"
        case "gadget":
            return f"the {adjective} {thing} {rng.choice([tool for tool in _TOOLS if tool != thing])}"
        case "robot":
            return f"{_coined(rng).capitalize()}-{rng.randint(2, 99)}" if rng.random() < 0.6 else f"the {thing} robot"
        case "ship":
            return (
                f"the {rng.choice([made, rng.choice(FIRSTS) + ' ' + rng.choice(SURNAMES), 'Queen of ' + _town(rng)])}"
            )
        case "planet":
            return (_stem(rng) + rng.choice(["ax", "eon", "ia", "ira", "on", "os", "une", "us"])).capitalize()
        case "creature":
            return f"the {adjective} {rng.choice(_GROUNDS)} {rng.choice(_BEASTS)}"
        case "book" | "song" | "film" | "painting":
            return _title(rng)
        case "event":
            end = rng.choice(["Fair", "Festival", "Race", "Market", "Ball", "Parade", "Concert", "Games"])
            return f"the {rng.choice([thing.title(), _town(rng), made])} {end}"
        case "dish":
            end = rng.choice(["pie", "stew", "soup", "pudding", "salad", "cake", "broth"])
            return f"{_person(rng).split()[0]}'s {end}" if rng.random() < 0.5 else f"the {_town(rng)} {end}"
        case "word":
            return f'"{_coined(rng)}"'
        case "team":
            return f"the {_town(rng)} {rng.choice(_ADJECTIVES).capitalize()} {rng.choice(_TEAMS)}"
        case _:
            return rng.choice(_LISTS[kind])


def value(rng: random.Random, kind: str) -> str:
    """A value for {v} in a relation of this value type."""
    match kind:
        case "day":
            number, month = rng.randint(1, 28), rng.choice(_MONTHS)
            return rng.choice(
                [f"{month} {_ordinal(number)}", f"the {_ordinal(number)} of {month}", f"{number} {month}"]
            )
        case "first":
            return rng.choice(FIRSTS)
        case "woman":
            return rng.choice(WOMEN)
        case "petname":
            return rng.choice(PETS)
        case "size":
            return str(rng.randint(34, 48)) if rng.random() < 0.6 else f"{rng.randint(4, 12)} and a half"
        case "years":
            return f"{rng.choice(_NUMBERS)} years"
        case "clock":
            return _clock(rng)
        case "weekclock":
            return f"on {rng.choice(_WEEKDAYS)} at {_clock(rng)}"
        case "distance":
            unit = rng.choice(["miles", "kilometres", "kilometers", "hours on foot"])
            return f"{rng.choice([str(rng.randint(3, 190)), rng.choice(_NUMBERS)])} {unit}"
        case "population":
            return rng.choice(
                [str(rng.randint(40, 990)), f"{rng.choice(_NUMBERS)} thousand", f"about {rng.randint(2, 90)}00"]
            )
        case "height":
            return rng.choice([f"{rng.randint(310, 8900)} metres", f"{rng.randint(900, 20000)} feet"])
        case "weight":
            return rng.choice([f"{rng.choice(_NUMBERS)} {u}" for u in ("pounds", "kilos", "grams", "stone", "tons")])
        case "price":
            unit = rng.choice(["pounds", "dollars", "euros", "crowns", "silver coins"])
            return f"{rng.choice([str(rng.randint(3, 950)), rng.choice(_NUMBERS)])} {unit}"
        case "pages":
            return str(rng.randint(60, 990))
        case "code":
            word = rng.choice(_THINGS) + rng.choice(["", str(rng.randint(2, 99)), "-" + rng.choice(_THINGS)])
            return rng.choice([word, str(rng.randint(1000, 9999)), rng.choice(_ADJECTIVES) + rng.choice(_THINGS)])
        case "coined":
            return f'"{_coined(rng)}"'
        case "town" | "street" | "river" | "person":
            return entity(rng, kind)
        case _ if kind in _FIRST:
            return f"{rng.choice(_FIRST[kind])}. {rng.choice(_SECOND[kind])}"
        case _:
            return rng.choice(_LISTS[kind])


LEADS = (
    "hey, ", "Hey, ", "So, ", "By the way, ", "Quick question: ", "One more time: ", "And now: ", "OK, ", "um, ",
    "Thanks! ", "I'm writing it down. ", "Let me ask you something. ", "Somebody asked me this. ",
    "Back to my question. ", "Just checking. ", "Test: ", "For my notes: ", "Now then. ", "Sorry to ask again. ",
    "Hello! ", "Please: ",
)  # fmt: skip
"""Lead-ins of questions."""
