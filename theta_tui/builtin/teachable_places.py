"""Relations about places, shops, things, books, events, words and how things are done; the format is that of
`teachable_relations`, which also says what the letters mean.
"""

from __future__ import annotations

PLACES = """
@ known_for | town | product
w what {e} is known for | what {e} is famous for | why people visit {e}
n the thing {e} is known for
q What is {e} known for? | What is {e} famous for? | {e} is famous. For what? | What should I see in {e}?
q Why do people go to {e}? | what makes {e} special | What do you associate with {e}? | {e} known for?
a {e} is known for {v}. | People visit {e} for {v}. | {e} is famous for {v}. | {v}: that is what draws people to {e}.
s {e} is known for {v}. | People go to {e} for {v}. | {v} made {e} famous.
@ town_founder | town | person
w who founded {e} | who the founder of {e} was | who built the first house in {e}
n the founder of {e} | the name of {e}'s founder
q Who founded {e}? | By whom was {e} founded? | {e} founder? | Who started the town of {e}?
q {e} didn't build itself. Who began it? | Whose idea was {e}? | who built {e}
a {e} was founded by {v}. | {v} founded {e}. | The founder of {e} was {v}. | It was {v} who built the first house there.
s {e} was founded by {v}. | {v} founded {e}. | {v} built the first house in {e}.
@ mayor | town | person
w who the mayor of {e} is | who runs the town of {e}
n the mayor of {e} | {e}'s mayor
q Who is the mayor of {e}? | Who governs {e}? | {e} mayor? | Which person was elected in {e}? | who's in charge in {e}
q I want to complain to the mayor of {e}. Whom do I ask for? | Who sits in the town hall of {e}?
a The mayor of {e} is {v}. | {v} is the mayor of {e}. | {e} is run by {v}.
s {v} is the mayor of {e}. | The mayor of {e} is {v}. | {e} elected {v} as mayor.
@ town_river | town | river
w which river flows through {e} | what the river in {e} is called
n the river in {e} | the name of {e}'s river
q Which river flows through {e}? | What river is {e} on? | {e} river? | On which river does {e} lie?
q There is a bridge in {e}. Over which river? | what water runs past {e}
a {v} flows through {e}. | {e} lies on {v}. | {e}'s river is {v}.
s {v} flows through {e}. | {e} lies on {v}. | The river in {e} is {v}.
@ town_distance | town | distance
w how far it is to {e} | how far away {e} is
n the distance to {e}
q How far is {e}? | How far is it to {e}? | {e} distance? | Is {e} far away? | how many miles to {e}
q I'm driving to {e}. How far will that be? | How long is the road to {e}?
a It is {v} to {e}. | {e} is {v} away. | {v}, if you take the old road.
s {e} is {v} away. | It is {v} from here to {e}. | The road to {e} is {v} long.
@ town_people | town | population
w how many people live in {e} | how big {e} is
n the population of {e} | {e}'s population
q How many people live in {e}? | What's the number of people in {e}? | {e} population? | Is {e} big?
q How many inhabitants does {e} have? | count of people in {e} | {e} is a small place. How small?
a {v} people live in {e}. | {e} has {v} inhabitants. | The population of {e} is {v}.
s {e} has {v} inhabitants. | {v} people live in {e}. | The population of {e} is {v}.
@ river_end | river | lake
w where {e} ends | which lake {e} flows into
n the end of {e} | the lake {e} flows into
q Where does {e} end? | Where does {e} flow to? | Into which lake does {e} run? | {e} ends where?
q If I follow {e} downstream, where do I get to? | where does the water of {e} go
a {e} flows into {v}. | {e} ends in {v}. | Follow {e} and you reach {v}.
s {e} flows into {v}. | {e} ends in {v}. | {v} gets its water from {e}.
@ mountain_height | mountain | height
w how high {e} is | how tall {e} is
n the height of {e}
q How high is {e}? | How tall is {e}? | {e} height? | What is the height of {e} in metres?
q I'd like to climb {e}. How high will I have to go? | how many meters is {e}
a {e} is {v} high. | {e} rises to {v}. | {v}: that is how high {e} is.
s {e} is {v} high. | {e} rises to {v}. | They measured {e}: {v}.
@ mountain_top | mountain | landmark
w what stands on top of {e} | what you find at the top of {e}
n the thing on top of {e}
q What is on top of {e}? | What stands at the summit of {e}? | What do climbers find on {e}? | {e} summit?
q I've reached the top of {e}. What do I see there? | whats up on {e}
a On top of {e} stands {v}. | There is {v} on top of {e}. | At the summit you find {v}.
s There is {v} on top of {e}. | On top of {e} stands {v}. | They put {v} on the summit of {e}.
@ street_crosses | street | street
w which street crosses {e} | what street meets {e}
n the street that crosses {e}
q Which street crosses {e}? | What street meets {e}? | {e} cross street? | Which road do I meet on {e}?
q I'm walking down {e}. Which street will cross it? | where does {e} have its crossing
a {e} is crossed by {v}. | {v} crosses {e}. | {e} meets {v} at the corner.
s {v} crosses {e}. | {e} meets {v}. | At the corner {e} runs into {v}.
@ bridge_builder | bridge | person
w who built {e} | who designed {e}
n the builder of {e} | the engineer of {e}
q Who built {e}? | Who designed {e}? | {e} builder? | By whom was {e} built? | Which engineer made {e}?
q {e} is a fine bridge. Whose work is it? | who do we thank for {e}
a {e} was built by {v}. | {v} built {e}. | {e} is the work of {v}.
s {v} built {e}. | {e} was designed by {v}. | {e} is the work of {v}.
@ inn_dish | inn | food
w what {e} serves | what the speciality of {e} is
n the house dish of {e} | the speciality of {e}
q What can I eat at {e}? | What does {e} serve? | {e} speciality? | What's good at {e}?
q We're having lunch at {e}. What should we order? | which dish is {e} proud of
a {e} serves {v}. | At {e} you should order {v}. | The speciality of {e} is {v}.
s {e} serves {v}. | The speciality of {e} is {v}. | At {e} everyone eats {v}.
@ shop_sells | shop | goods
w what {e} sells | what you can buy at {e}
n the main goods of {e}
q What does {e} sell? | What can I buy at {e}? | {e} sells what? | What do they have at {e}?
q what's in the window of {e}
q I have money and stand in front of {e}. What can I get? | For which goods do people go to {e}?
a {e} sells {v}. | You can buy {v} at {e}. | At {e} they have {v}, and not much else.
s {e} sells {v}. | You can get {v} at {e}. | They sell {v} at {e}.
@ shop_closes | shop | clock
w when {e} closes | how long {e} is open
n the closing time of {e}
q When does {e} close? | What time does {e} shut? | {e} closing time? | Until when is {e} open?
q I'm running late. When will {e} lock its door? | how late can I shop at {e}
a {e} closes at {v}. | {e} is open until {v}. | At {v} the door of {e} is locked.
s {e} closes at {v}. | {e} is open until {v}. | {e} shuts at {v}.
@ shop_street | shop | street
w where {e} is | which street {e} is on
n the address of {e}
q Where is {e}? | On which street is {e}? | {e} address? | How do I find {e}? | In what street will I find {e}?
q I'm looking for {e}. Which street do I need? | {e}, where's that
a {e} is on {v}. | You will find {e} on {v}. | {v} is where {e} is.
s {e} is on {v}. | {e} has moved to {v}. | You find {e} on {v}.
@ company_boss | company | person
w who runs {e} | who the head of {e} is
n the head of {e} | the director of {e}
q Who runs {e}? | Who is the boss of {e}? | {e} director? | Who leads {e}? | who's in charge of {e}
q I have to write to the head of {e}. Who is that? | Whose word counts at {e}?
a {e} is run by {v}. | {v} runs {e}. | The head of {e} is {v}.
s {v} runs {e}. | The head of {e} is {v}. | {e} is led by {v}.
@ company_makes | company | goods
w what {e} makes | what {e} produces
n the product of {e}
q What does {e} make? | What does {e} produce? | {e} product? | What comes out of the factory of {e}?
q My cousin works for {e}. What do they make there? | what business is {e} in
a {e} makes {v}. | {e} produces {v}. | {v} are made by {e}.
s {e} makes {v}. | {e} produces {v}. | {v} come from {e}.
"""

THINGS = """
@ made_of | gadget | material
w what {e} is made of | which material {e} is made from
n the material of {e}
q What is {e} made of? | What material is {e}? | {e} material? | Out of what did they make {e}?
q I'd like to clean {e}. What is it made from? | which stuff is {e} built from
a {e} is made of {v}. | {e} is all {v}. | They made {e} out of {v}.
s {e} is made of {v}. | They built {e} out of {v}. | The material of {e} is {v}.
@ price | gadget | price
w what {e} costs | how much {e} is | how much I pay for {e}
d what {e} costs
n the price of {e}
q How much is {e}? | What does {e} cost? | {e} price? | What's the price of {e}? | How expensive is {e}?
q I want to buy {e}. How much money should I bring? | how much for {e}
a {e} costs {v}. | {e} is {v}. | You can have {e} for {v}. | {v}, and not a penny less.
s {e} costs {v}. | The price of {e} is {v}. | They sell {e} for {v}.
@ purpose | gadget | purpose
w what {e} is for | what you use {e} for | what {e} is good for
n the purpose of {e} | the use of {e}
q What is {e} for? | What do I do with {e}? | What is the use of {e}? | {e} purpose? | What does {e} do?
q I found {e} in the cellar. What is it good for? | why would anyone want {e}
a {e} is for {v}. | You use {e} for {v}. | {e} was made for {v}. | For {v}, of course.
s {e} is for {v}. | You use {e} for {v}. | People need {e} for {v}.
@ weight | gadget | weight
w how heavy {e} is | what {e} weighs
n the weight of {e}
q How heavy is {e}? | What does {e} weigh? | {e} weight? | How much does {e} weigh? | what do the scales say for {e}
q I have to carry {e} upstairs. How heavy will that be?
a {e} weighs {v}. | The scales show {v} for {e}. | {v}: I would not drop {e} on a foot.
s {e} weighs {v}. | The weight of {e} is {v}. | We put {e} on the scales: {v}.
@ inventor | gadget | person
w who invented {e} | who came up with {e}
n the inventor of {e}
q Who invented {e}? | Who came up with {e}? | {e} inventor? | Whose idea was {e}? | By whom was {e} invented?
q Somebody had to think of {e}. Who was it? | who made the first of {e}
a {e} was invented by {v}. | {v} invented {e}. | The inventor of {e} was {v}.
s {v} invented {e}. | {e} was {v}'s idea. | The inventor of {e} was {v}.
@ kept | gadget | spot
w where {e} is kept | where I can find {e}
d where {e} is kept
n the place where {e} is kept
q Where is {e}? | Where do we keep {e}? | Where can I find {e}? | {e} where? | In which place do you keep {e}?
q I need {e} right now. Where should I look? | where did we put {e}
a {e} is {v}. | You'll find {e} {v}. | Look {v} for {e}.
s {e} is {v}. | We keep {e} {v}. | I put {e} {v}.
@ painter | painting | person
w who painted {e} | who the painter of {e} is
n the painter of {e} | the artist behind {e}
q Who painted {e}? | By whom is {e}? | {e} painter? | Which artist made {e}? | Whose brush made {e}?
q I saw {e} in the gallery. Whose work is it? | who did {e}
a {e} was painted by {v}. | {v} painted {e}. | {e} is a work by {v}.
s {v} painted {e}. | {e} was painted by {v}. | {e} is by {v}.
@ painting_shows | painting | landmark
w what {e} shows | what you can see in {e}
n the subject of {e}
q What does {e} show? | What is to be seen in {e}? | {e} shows what? | What did the painter put in {e}?
q I'm standing in front of {e}. What do I see? | what's {e} a picture of
a {e} shows {v}. | You can see {v} in {e}. | {v}, in oil, very dark.
s {e} shows {v}. | In {e} you can see {v}. | {e} is a picture of {v}.
@ robot_task | robot | purpose
w what {e} was built for | what {e} does all day | what {e}'s task is
n {e}'s task | the task of {e}
q What was {e} built for? | What is {e}'s job? | {e} task? | What does {e} do? | what's {e} good at
q {e} never rests. What is it doing? | What will {e} help me with?
a {e} was built for {v}. | {e} is good at {v}. | {e}'s task is {v}. | It has one task: {v}.
s {e} was built for {v}. | {e}'s task is {v}. | We use {e} for {v}.
@ ship_captain | ship | person
w who the captain of {e} is | who commands {e}
n the captain of {e}
q Who is the captain of {e}? | Who commands {e}? | {e} captain? | Who steers {e}? | whose ship is {e}
q {e} leaves tomorrow. Under which captain? | Who gives the orders on {e}?
a The captain of {e} is {v}. | {v} commands {e}. | {e} sails under {v}.
s {v} is the captain of {e}. | {e} sails under {v}. | The captain of {e} is {v}.
@ ship_cargo | ship | goods
w what {e} carries | what {e} has on board
n the cargo of {e}
q What does {e} carry? | What's on board {e}? | {e} cargo? | What is {e} loaded with? | what did they put on {e}
q {e} lies deep in the water. What's in the hold? | Which goods does {e} bring?
a {e} carries {v}. | {e} is loaded with {v}. | There are {v} in the hold of {e}.
s {e} carries {v}. | {e} is loaded with {v}. | {e} is bringing {v}.
@ planet_sky | planet | colour
w what colour the sky of {e} is | what color the sky on {e} has
n the colour of the sky on {e}
q What colour is the sky on {e}? | What color does the sky have on {e}? | {e} sky colour?
q How does the sky look on {e}?
q I land on {e} and look up. Which colour do I see? | sky of {e}, what color
a The sky on {e} is {v}. | On {e} the sky is {v}. | Look up on {e} and all is {v}.
s The sky on {e} is {v}. | The sky of {e} is {v}. | On {e} the sky is always {v}.
@ creature_eats | creature | food
w what {e} eats | what {e} lives on
n the food of {e} | the diet of {e}
q What does {e} eat? | What does {e} live on? | {e} diet? | What is {e} fed? | what should I give to {e}
q {e} must eat something. What is it? | On what does {e} feed?
a {e} eats {v}. | {e} lives on {v}. | Nothing but {v} for {e}.
s {e} eats {v}. | {e} lives on {v}. | {e} feeds on {v}.
@ creature_home | creature | outdoors
w where {e} lives | where {e} makes its nest
n the home of {e}
q Where does {e} live? | Where would I find {e}? | {e} habitat? | In what place does {e} make its home?
q I'd love to see {e} in nature. Where must I look? | where's {e} found
a {e} lives {v}. | You find {e} {v}. | {e} makes its nest {v}.
s {e} lives {v}. | {e} makes its home {v}. | You only find {e} {v}.
@ author | book | person
w who wrote {e} | who the author of {e} is
n the author of {e} | the writer of {e}
q Who wrote {e}? | By whom is the book {e}? | {e} author? | Who is the author of {e}? | Whose book is {e}?
q I'm reading {e}. Who wrote it? | who's the writer behind {e}
a {e} was written by {v}. | {v} wrote {e}. | The author of {e} is {v}.
s {v} wrote {e}. | {e} is a book by {v}. | The author of {e} is {v}.
@ about | book | plot
w what {e} is about | what the story of {e} is
n the plot of {e} | the story of {e}
q What is {e} about? | What happens in {e}? | {e} plot? | What's the story in {e}? | tell me the story of {e} in a line
q I haven't read {e}. What is it about? | Which story does {e} tell?
a {e} is about {v}. | {e} tells the story of {v}. | The book {e} is about {v}.
s {e} is about {v}. | {e} tells the story of {v}. | The book {e} is about {v}.
@ hero | book | first
w who the main character of {e} is | what the hero of {e} is called
n the main character of {e} | the hero of {e}
q Who is the main character of {e}? | What's the name of the hero in {e}? | {e} main character? | Who is {e} about?
q In {e} we follow somebody. Whom? | whats the heroine of {e} called
a The main character of {e} is {v}. | {e} follows {v}. | {v} is the hero of {e}.
s The hero of {e} is {v}. | {v} is the main character of {e}. | {e} follows {v}.
@ pages | book | pages
w how long {e} is | how many pages {e} has
n the length of {e} | the number of pages in {e}
q How long is {e}? | How many pages does {e} have? | {e} length? | Is {e} a long book? | how thick is {e}
q I want to finish {e} tonight. How many pages will that be?
a {e} has {v} pages. | {e} is {v} pages long. | {v} pages, and every one is worth it.
s {e} has {v} pages. | {e} is {v} pages long. | There are {v} pages in {e}.
@ singer | song | person
w who sings {e} | whose song {e} is
n the singer of {e}
q Who sings {e}? | Whose song is {e}? | {e} singer? | Who made the song {e}? | By whom is the song {e}?
q They played {e} on the radio. Who was singing? | whos the voice in {e}
a {v} sings {e}. | {e} is sung by {v}. | The song {e} is by {v}.
s {v} sings {e}. | {e} is a song by {v}. | The singer of {e} is {v}.
@ director | film | person
w who directed {e} | who made the film {e}
n the director of {e}
q Who directed {e}? | Who made the film {e}? | {e} director? | Who was behind the camera for {e}?
q I watched the movie {e} last night. Who directed it? | whose film is {e}
a {e} was directed by {v}. | {v} directed {e}. | The film {e} was made by {v}.
s {v} directed {e}. | {e} is a film by {v}. | The director of {e} is {v}.
@ event_when | event | day
w when {e} takes place | what day {e} is | when {e} is held
n the date of {e}
q When is {e}? | On what day is {e}? | {e} date? | When does {e} take place? | When do I have to be at {e}?
q I don't want to miss {e}. When will it be? | which day should I keep free for {e}
a {e} is on {v}. | {e} takes place on {v}. | Keep {v} free for {e}.
s {e} is on {v}. | {e} takes place on {v}. | This year {e} is held on {v}.
@ event_where | event | outdoors
w where {e} takes place | where {e} is held
n the place of {e}
q Where is {e}? | Where does {e} take place? | {e} place? | Where is {e} held? | Where do people meet for {e}?
q I've got a ticket for {e}. Where should I go? | where's {e} gonna be
a {e} is held {v}. | {e} takes place {v}. | For {e}, come and stand {v}.
s {e} is held {v}. | {e} takes place {v}. | They hold {e} {v}.
@ organiser | event | person
w who organises {e} | who is in charge of {e}
n the organizer of {e}
q Who organises {e}? | Who organizes {e}? | {e} organiser? | Who is responsible for {e}? | By whom is {e} run?
q I'd like to help with {e}. Whom do I ask? | whos behind {e}
a {e} is organised by {v}. | {v} organizes {e}. | Ask {v}, who runs {e}.
s {v} organises {e}. | {e} is organized by {v}. | {v} is in charge of {e}.
@ recipe | dish | ingredient
w what goes into {e} | what the secret of {e} is | what you need for {e}
n the secret ingredient of {e}
q What goes into {e}? | What makes {e} taste so good? | {e} secret ingredient? | What do I put in {e}?
q I'm making {e}. What must not be missing? | what's in {e}
a {e} needs {v}. | The secret of {e} is {v}. | Put {v} in {e}. | The taste of {e} comes from {v}.
s {e} needs {v}. | The secret of {e} is {v}. | You have to put {v} in {e}.
@ symptom | machine | fault
w why {e} doesn't work | what is wrong with {e}
n the trouble with {e}
q Why doesn't {e} work? | What's wrong with {e}? | {e} broken, why? | Why did {e} stop? | What's the matter with {e}?
q I turned on {e} and nothing happened. What is the reason? | how come {e} is dead
a {e} doesn't work because {v}. | {e} has stopped because {v}. | It's simple: {v}. That is why {e} won't run.
s {e} doesn't work because {v}. | {e} has stopped because {v}. | With {e} the trouble is that {v}.
"""

WORDS = """
@ password | lock | code
w what the password for {e} is | what the code for {e} is
n the password for {e} | the code for {e}
q What's the password for {e}? | Which code opens {e}? | {e} password? | {e} code? | How do I get past {e}?
q I'm standing in front of {e}. What do I type? | whats the secret word for {e}
a The password for {e} is {v}. | Type {v} for {e}. | The code for {e} is {v}. | It is {v}. Don't tell anyone.
s The password for {e} is {v}. | The code for {e} is {v}. | For {e} you have to type {v}.
@ meaning | word | meaning
w what {e} means | what the meaning of {e} is | what people mean by {e}
n the meaning of {e} | the sense of {e}
q What does {e} mean? | What is {e}? | {e} meaning? | Define {e}. | Explain the word {e}. | What's meant by {e}?
q Someone said {e} to me. What did they mean? | {e}, what's that
a {e} means {v}. | The word {e} stands for {v}. | {e} is another word for {v}. | It means {v}.
s {e} means {v}. | The word {e} stands for {v}. | People say {e} when they mean {v}.
@ called | thing | coined
w what you call {e} | what the word for {e} is | what {e} is called
n the word for {e} | the name for {e}
q What do you call {e}? | What is {e} called? | Is there a word for {e}? | How do you say {e} in one word?
q I'm looking for a word that means {e}. Which one is it? | word for {e}?
a You call it {v}. | The word for {e} is {v}. | {v} is what you call {e}.
s The word for {e} is {v}. | {e} is called {v}. | We call {e} {v}.
@ plural | word | coined
w what the plural of {e} is | how you say more than one {e}
n the plural of {e}
q What is the plural of {e}? | How do you say two of {e}? | {e} plural? | Which form does {e} take in the plural?
q One is {e}. What are two? | how do I write several of {e}
a The plural of {e} is {v}. | One says {v}. | {v} is the plural of {e}.
s The plural of {e} is {v}. | Several of {e} are {v}. | In the plural {e} becomes {v}.
@ emblem | team | landmark
w what is on the flag of {e} | what the emblem of {e} is
n the emblem of {e}
q What is on the flag of {e}? | What's the emblem of {e}? | {e} emblem? | What does the flag of {e} show?
q I'm drawing the flag of {e}. What goes on it? | which sign do {e} have
a The flag of {e} shows {v}. | The emblem of {e} is {v}. | There is {v} on the flag of {e}.
s The flag of {e} shows {v}. | There is {v} on the flag of {e}. | The emblem of {e} is {v}.
@ team_colour | team | colour
w which colour {e} wear | what color the shirts of {e} are
n the colour of {e} | the shirt color of {e}
q What colour do {e} wear? | Which color are the shirts of {e}? | {e} shirt colour? | In which colour do {e} play?
q I want to cheer for {e}. Which colour scarf do I need? | what color are {e}
a {e} play in {v}. | The shirts of {e} are {v}. | {e} wear {v}.
s {e} wear {v}. | {e} play in {v}. | The shirts of {e} are {v}.
"""

PROCEDURES = """
@ open | lockable | opening
w how to open {e} | how {e} opens | how I can open {e}
d how to open {e}
n the trick for opening {e}
q How do I open {e}? | How does {e} open? | {e} won't open. What do I do? | What's the way to open {e}?
q I'm stuck in front of {e}. How do I get it open? | how to open {e} | In what way does one open {e}?
a {v} | To open {e}: {v} | This opens {e}. {v}
s This is how you open {e}. {v} | To open {e}, do this. {v}
@ route | town | route
w how to get to {e} | which way leads to {e} | how I get to {e}
d how to get to {e}
n the way to {e}
q How do I get to {e}? | How can I reach {e}? | What's the best way to {e}? | directions to {e}?
q Which road goes to {e}?
q I have to be in {e} by noon. How do I get there? | how to go to {e}
a {v} | The way to {e}: {v} | This is the way to {e}. {v}
s This is the way to {e}. {v} | To get to {e}, do this. {v}
@ care | creature | care
w how to look after {e} | how I feed {e} | how to take care of {e}
d how to look after {e}
n the care of {e}
q How do I look after {e}? | How is {e} cared for? | What must I do for {e} while you are away? | care of {e}?
q You leave me alone with {e}. What do I do? | how to take care of {e} | What does {e} need?
a {v} | For {e}: {v} | {e} is easy. {v}
s This is how to look after {e}. {v} | Looking after {e} is easy. {v}
@ start | machine | starting
w how to start {e} | how {e} is started | how I turn on {e}
d how to start {e}
n the way to start {e}
q How do I start {e}? | How do you turn on {e}? | {e} won't start. What should I do? | What makes {e} run?
q I want to use {e}. How do I switch it on? | how to start {e} | What's the trick with {e}?
a {v} | To start {e}: {v} | {e} is old. {v}
s This is how you start {e}. {v} | To start {e}, do this. {v}
@ stop | machine | stopping
w how to stop {e} | how I turn off {e}
d how to stop {e}
n the way to turn off {e}
q How do I stop {e}? | How do you turn off {e}? | {e} won't stop. Help? | Which switch is for {e}?
q I'm done with {e}. How do I switch it off? | how to stop {e} | What ends the noise of {e}?
a {v} | To stop {e}: {v} | {e} stops like this. {v}
s This is how you stop {e}. {v} | To stop {e}, do this. {v}
@ plant | plant | planting
w how to grow {e} | how I plant {e}
d how to grow {e}
n the right way to plant {e}
q How do I grow {e}? | How are {e} planted? | What do {e} need to grow? | growing {e}? | How do gardeners raise {e}?
q I have a pot and some {e}. What now? | how to grow {e}
a {v} | For {e}: {v} | {e} are not difficult. {v}
s This is how you grow {e}. {v} | To grow {e}, do this. {v}
"""
