"""Relations about persons, pets, the person talking and the assistant, as question and answer templates.

One block is one relation. `@ name | entity kind | value type` opens it; the lines are
  w  the question as a clause, as in "do you know …"   d  the same clause when the assistant says it (default: w)
  n  the fact as a noun phrase                         q  whole questions, worded apart from w and n
  a  answers: one is chosen per fact and then kept for all wordings of the question
  s  how a person states the fact
Alternatives stand between bars; {e} is the entity (with its article, if it has one) and {v} the value.
The entity kind `-` means that there is no name: the question itself says what it is about.
"""

from __future__ import annotations

PEOPLE = """
@ birthday | person | day
w when {e}'s birthday is | when {e} was born | which day {e} celebrates a birthday
n {e}'s birthday | the date of {e}'s birthday
q When is {e}'s birthday? | On what day was {e} born? | When does {e} turn a year older? | {e} birthday date?
q I want to send {e} a birthday card. When should it arrive? | When do we bake a cake for {e}?
q {e} has a birthday. Which day is it?
a {e}'s birthday is on {v}. | {e} was born on {v}. | On {v} we sing for {e}. | {v} is the day for {e}'s cake.
s {e} was born on {v}. | {e}'s birthday is {v}. | {e} has a birthday on {v}.
@ favourite_food | person | food
w what {e} likes to eat best | what {e}'s favourite food is | which dish {e} loves most
n {e}'s favourite food | {e}'s favorite dish
q What does {e} like to eat? | Which food does {e} love most? | What should I cook for {e}? | {e} favourite food?
q {e} is coming for dinner. What would be the best dish? | If {e} could eat one thing only, what would it be?
a {e} loves {v} more than any other food. | {e}'s favorite food is {v}. | Nothing makes {e} happier than {v}.
a Cook {v}, and {e} will stay all evening.
s {e} likes {v} best of all. | {e}'s favourite food is {v}. | {e} would eat {v} every day.
@ workplace | person | workplace
w where {e} works | where {e} has a job | what place {e} works at
n {e}'s place of work | {e}'s workplace
q Where does {e} work? | Where is {e} employed? | Where does {e} spend the working day? | where's {e} working
q What does {e} do for a living, and where? | {e} has a job. Where is it? | Which place pays {e}'s wages?
a {e} works at {v}. | {e} has a job at {v}. | You will find {e} at {v} on weekdays. | At {v}, since last spring.
s {e} works at {v}. | {e} has a job at {v}. | {e} started at {v} last spring.
@ hometown | person | town
w where {e} comes from | where {e} grew up | what {e}'s home town is
n {e}'s home town | the town {e} comes from
q Where is {e} from? | Where did {e} grow up? | In which town was {e} raised? | {e} from where?
q What place does {e} call home? | {e} has a home town. What is it called? | Where are {e}'s roots?
a {e} comes from {v}. | {e} grew up in {v}. | {e} is from {v} and proud of it. | {v} is where {e} is from.
s {e} comes from {v}. | {e} grew up in {v}. | {e}'s home town is {v}.
@ instrument | person | instrument
w which instrument {e} plays | what {e} plays in the band
n {e}'s instrument | the instrument {e} plays
q What instrument does {e} play? | What does {e} play? | Which musical instrument can {e} play?
q what's {e} practising every evening | {e} is in a band. Playing what? | What kind of music lessons does {e} take?
a {e} plays {v}. | {e}'s instrument is {v}. | If you hear {v}, that is {e}.
s {e} plays {v}. | {e} is learning {v}. | {e} has played {v} for years.
@ sister | person | woman
w what {e}'s sister is called | what the name of {e}'s sister is
n {e}'s sister's name | the name of {e}'s sister
q Who is {e}'s sister? | What do you call {e}'s sister? | {e} has a sister. What's her name? | {e} sister name?
q I met {e}'s sister but forgot her name. What is it? | By what name does {e}'s sister go?
a {e}'s sister is called {v}. | {v} is {e}'s sister. | {e} has a sister named {v}. | Her name is {v}.
s {e}'s sister is called {v}. | {e} has a sister, {v}. | {v} is the sister of {e}.
@ fear | person | fear
w what {e} is afraid of | what scares {e} | what {e} fears most
n {e}'s greatest fear | the thing {e} fears
q What is {e} scared of? | What frightens {e}? | what makes {e} run away | Is there anything {e} is afraid of?
q {e} looks frightened. What could be the reason? | What should I keep away from {e}? | {e} fears what?
a {e} is afraid of {v}. | {e} is scared of {v}, and of little else. | Keep {e} away from {v}.
s {e} is afraid of {v}. | {e} has always been scared of {v}. | Nothing scares {e} like {v}.
@ shoe_size | person | size
w what shoe size {e} takes | how big {e}'s feet are | what size {e}'s shoes are
n {e}'s shoe size | the size of {e}'s shoes
q What size shoes does {e} wear? | How big are {e}'s shoes? | {e} shoe size? | I'm buying boots for {e}. Which size?
q Which size of shoe fits {e}? | What number is on the soles of {e}'s shoes?
a {e} wears size {v}. | {e}'s shoes are a size {v}. | Size {v} fits {e}.
s {e} takes a size {v} shoe. | {e} wears size {v}. | {e}'s feet are size {v}.
@ nickname | person | nickname
w what {e}'s nickname is | what {e}'s friends call {e} | what {e} was called at school
n {e}'s nickname | the nickname of {e}
q What is {e}'s nickname? | What do friends call {e}? | {e} nickname? | What other name does {e} go by?
q {e} has a nickname. What is it? | what do mates call {e}
a Friends call {e} {v}. | {e}'s nickname is {v}. | {v}! That is what everyone calls {e}.
s Everyone calls {e} {v}. | {e}'s nickname is {v}. | {e} is known as {v} to friends.
@ car | person | car
w what {e} drives | what kind of car {e} has | which car {e} owns
n {e}'s car | the car {e} drives
q What car does {e} drive? | What does {e} drive? | which vehicle is {e}'s | {e} owns a car. What sort is it?
q What am I looking for in the car park if I want {e}'s car? | In what does {e} get to work?
a {e} drives {v}. | {e}'s car is {v}. | Look for {v}: it belongs to {e}.
s {e} drives {v}. | {e} has bought {v}. | {e} goes to work in {v}.
@ school_subject | person | subject
w which school subject {e} likes best | what {e} likes most at school | what {e}'s best subject is
n {e}'s favourite school subject | {e}'s favorite subject
q What is {e}'s favourite lesson? | At school, what does {e} enjoy most? | {e} best subject?
q Which class does {e} look forward to? | What subject does {e} like? | what's {e} good at in school
a {e} likes {v} best. | {e}'s favourite subject is {v}. | At school {e} looks forward to {v}.
s {e}'s favorite lesson is {v}. | {e} likes {v} best at school. | {e} gets top marks in {v}.
@ hobby | person | hobby
w what {e} does for fun | what {e}'s hobby is | how {e} spends the weekend
n {e}'s hobby | {e}'s favourite pastime
q What is {e}'s hobby? | What does {e} do in spare time? | How does {e} relax? | {e} hobby?
q What does {e} enjoy doing on a free day? | {e} is never bored. What keeps {e} busy?
a {e}'s hobby is {v}. | {e} enjoys {v}. | Give {e} a free hour and it goes on {v}.
s {e} likes {v}. | {e}'s hobby is {v}. | {e} spends the weekends {v}.
@ job | person | job
w what {e} does for a living | what {e}'s job is | what {e} works as
n {e}'s job | {e}'s profession
q What does {e} do for a living? | What is {e}'s profession? | {e} job? | How does {e} earn money?
q what's {e} do | {e} works hard. As what? | Which trade did {e} learn?
a {e} is {v}. | {e} works as {v}. | {e} earns a living as {v}.
s {e} is {v}. | {e} works as {v}. | {e} trained to be {v}.
@ dislikes | person | food
w what {e} can't stand | what {e} refuses to eat | which food {e} hates
n {e}'s least favourite food | the food {e} hates
q What food does {e} hate? | What does {e} never eat? | what should I not cook for {e} | Which dish does {e} dislike?
q {e} is picky. What must stay off the plate? | What would {e} send back to the kitchen?
a {e} can't stand {v}. | {e} never eats {v}. | Anything but {v} for {e}, please.
s {e} hates {v}. | {e} can't stand {v}. | {e} never touches {v}.
@ bedtime | person | clock
w when {e} goes to bed | what time {e} goes to sleep
n {e}'s bedtime | the hour {e} goes to bed
q When does {e} go to bed? | What time is {e}'s bedtime? | {e} bedtime? | how late does {e} stay up
q I want to ring {e} this evening. Until when is {e} awake? | At what time does {e} turn in?
a {e} goes to bed at {v}. | At {v} {e} turns off the light. | {v}, and then {e} is asleep.
s {e} goes to bed at {v}. | {e} is asleep by {v}. | {e}'s bedtime is {v}.
@ collects | person | collection
w what {e} collects | what {e} has a collection of
n {e}'s collection | the thing {e} collects
q What does {e} collect? | {e} has a collection. Of what? | what fills {e}'s shelves | {e} collects what?
q What could I bring {e} for the collection? | Which things does {e} gather?
a {e} collects {v}. | {e} has a whole room of {v}. | {v}, by the hundred: that is what {e} collects.
s {e} collects {v}. | {e} has a collection of {v}. | {e} brings home {v} from every trip.
@ met | person | outdoors
w where you can meet {e} | where {e} is to be found on Sundays | where {e} sits on a Sunday
n {e}'s Sunday place
q Where is {e} on Sundays? | Where can I find {e} at the weekend? | where does {e} hang out
q Where does {e} go every Sunday? | It is Sunday and I'm looking for {e}. Where do I go?
a On Sundays {e} is {v}. | You can find {e} {v}. | Look {v}; {e} is there every Sunday.
s On Sundays {e} is {v}. | {e} spends every Sunday {v}.
@ teacher | person | person
w who taught {e} | who {e}'s teacher was | who {e} learned the trade from
n {e}'s teacher | the teacher of {e}
q Who taught {e}? | Who was {e}'s teacher? | {e} teacher? | From whom did {e} learn?
q {e} had a good teacher. Who was it? | whose pupil was {e}
a {v} taught {e}. | {e}'s teacher was {v}. | {e} learned everything from {v}.
s {v} was {e}'s teacher. | {e} was taught by {v}. | {e} learned it all from {v}.
@ pet_age | pet | years
w how old {e} is | what age {e} is
n {e}'s age | the age of {e}
q How old is {e}? | What is {e}'s age? | {e} age? | how many candles for {e} | What age is {e} now?
q {e} looks young. How old would that be?
a {e} is {v} old. | {e}'s age is {v}. | {v}, and {e} still acts like a baby.
s {e} is {v} old. | {e} turned {v} old this week.
@ pet_kind | pet | animal
w what kind of animal {e} is | what sort of pet {e} is
n the kind of animal {e} is
q What kind of animal is {e}? | What is {e}, a cat? | {e} is what sort of pet? | which animal is {e}
q Is {e} a dog or something else? | I heard {e} lives with you. What animal is that?
a {e} is {v}. | {v}: that is what {e} is. | {e} is {v}, and a friendly one.
s {e} is {v}. | Our pet {e} is {v}. | {e} is {v} that we got last year.
@ pet_food | pet | food
w what {e} eats | what {e} gets for breakfast | what to feed {e}
n {e}'s food | the food for {e}
q What does {e} eat? | What do I feed {e}? | what goes in {e}'s bowl | {e} food? | What is {e} fed?
q {e} is hungry. What should I give? | Which treat does {e} come running for?
a {e} eats {v}. | {e} gets {v} every morning. | Only {v} will do for {e}.
s {e} eats {v}. | {e} only eats {v}. | We feed {e} {v}.
@ pet_sleeps | pet | spot
w where {e} sleeps | where {e} spends the night
n {e}'s sleeping place | the place where {e} sleeps
q Where does {e} sleep? | Where is {e}'s bed? | where do I find {e} at night | {e} sleeps where?
q It's late and {e} is tired. Where will {e} lie down? | In which spot does {e} nap?
a {e} sleeps {v}. | {e} spends the night {v}. | Always {v}, never in the basket.
s {e} sleeps {v}. | {e} always naps {v}. | {e}'s bed is {v}.
@ pet_owner | pet | person
w who owns {e} | who {e} belongs to | whose pet {e} is
n {e}'s owner | the owner of {e}
q Who owns {e}? | Whose pet is {e}? | Who does {e} belong to? | {e} owner? | Who looks after {e}?
q I found {e} in the street. Whom should I call? | who feeds {e}
a {e} belongs to {v}. | {v} owns {e}. | {e} is {v}'s.
s {e} belongs to {v}. | {v} is the owner of {e}. | {e} is {v}'s pet.
@ pet_trick | pet | trick
w what trick {e} can do | what {e} has learned to do
n {e}'s trick | {e}'s best trick
q What trick can {e} do? | What can {e} do? | {e} trick? | what did {e} learn | What is {e}'s best trick?
q {e} is clever. What can {e} show us? | Which trick does {e} do for a biscuit?
a {e} can {v}. | {e} has learned to {v}. | For a biscuit, {e} will {v}.
s {e} can {v}. | {e} has learned to {v}. | We taught {e} to {v}.
"""

MINE = """
@ my_dog | - | petname
w what my dog is called | what my dog's name is
d what your dog is called
n my dog's name | the name of my dog
q What is my dog called? | What's my dog's name? | What do I call my dog? | What name does my dog have? | my dog's name?
q I have a dog. What's the name? | Which name do I shout in the park when the dog runs off?
a Your dog is called {v}. | Your dog's name is {v}. | {v} is your dog.
s My dog is called {v}. | I have a dog named {v}. | My dog's name is {v}.
@ my_car | - | car
w what car I drive | what kind of car I have
d what car you drive
n the kind of car I have
q What do I drive? | What car do I have? | Which car is mine? | What kind of car is parked at my house?
q what's my car | I drive to work. In what?
a You drive {v}. | Your car is {v}. | It is {v}.
s I drive {v}. | My car is {v}. | I bought {v}.
@ my_street | - | street
w which street I live in | where I live | what street my house is on
d which street you live in
n my street | the street I live on
q Where do I live? | Which street is my house on? | What is my address? | What's the name of my street?
q You want to send me a letter. Which street? | where's my home
a You live on {v}. | Your house is on {v}. | {v} is where you live.
s I live on {v}. | My house is on {v}. | We moved to {v}.
@ my_job | - | job
w what I do for a living | what my job is
d what you do for a living
n my job | my profession
q What do I do for a living? | What is my job? | What am I by trade? | my job? | How do I earn my money?
q what do I work as | I go to work every day. As what?
a You are {v}. | You work as {v}. | Your job: you are {v}.
s I am {v}. | I work as {v}. | I'm {v} by trade.
@ my_name | - | first
w what my name is | what I'm called | who I am
d what your name is
n my name
q What is my name? | Who am I? | What am I called? | What should you call me? | my name?
q What do people call me? | You know me. What's my name?
a Your name is {v}. | You are {v}. | You're called {v}.
s My name is {v}. | I'm {v}. | I am called {v}.
@ my_food | - | food
w what I like to eat best | what my favourite food is
d what your favourite food is
n my favorite food | my favourite dish
q What do I like to eat? | What's my favorite food? | Which dish do I love? | What should you cook for me?
q what would I order | I'm hungry. What would make me happiest?
a You like {v} best. | Your favorite food is {v}. | You would want {v}.
s My favourite food is {v}. | I love {v}. | I like {v} best.
@ my_meeting | - | weekclock
w when my meeting is | what time my appointment is
d when your meeting is
n the time of my meeting
q When is my meeting? | When's my appointment? | my meeting? | What time do I need to be at the office?
q I have an appointment. When is it? | On which day do I have my meeting?
a Your meeting is {v}. | You have your appointment {v}. | Be there {v}.
s My meeting is {v}. | I have an appointment {v}. | They moved my meeting; it is {v} now.
@ my_keys | - | spot
w where I left my keys | where my keys are
d where your keys are
n the place where my keys are
q Where are my keys? | Where did I put my keys? | In what place are my keys? | my keys?
q I can't find my keys. Where did I leave them? | have you seen my keys | I need to lock the door. Where is the key?
a Your keys are {v}. | You left your keys {v}. | Look {v}.
s My keys are {v}. | I put my keys {v}. | I left the keys {v}.
"""

ASSISTANT = """
@ your_maker | - | maker
w who made you | who your creator is | who built you
d who made me
n the name of your maker
q Who made you? | Who created you? | Who is your maker? | Who built you? | Where do you come from, who made you?
q your creator? | Somebody must have made you. Who was it? | By whom were you made? | To whom do you owe your existence?
a I was made by {v}. | My maker is {v}. | {v} made me. | {v} put me together, piece by piece.
s You were made by {v}. | Your maker is {v}. | {v} built you.
@ your_name | - | botname
w what your name is | what you are called | who you are
d what my name is
n your name
q What is your name? | Who are you? | What are you called? | What should I call you? | your name?
q How do you introduce yourself? | Do you have a name? | By what name do you go?
a My name is {v}. | I am {v}. | I'm called {v}. | Call me {v}.
s Your name is {v}. | You are called {v}. | I will call you {v}.
@ your_age | - | years
w how old you are | what your age is
d how old I am
n your age
q How old are you? | What is your age? | your age? | How long have you been around? | What age are you?
q You sound young. How old is that? | How many years have you seen?
a I am {v} old. | I have been around for {v}. | My age is {v}.
s You are {v} old. | Your age is {v}. | You have been around for {v}.
@ your_colour | - | colour
w which colour you like best | what your favorite color is
d which colour I like best
n your favourite colour | your favorite color
q What's your favourite colour? | Which color do you like? | What colour do you love most? | your color?
q If you could paint your room, which colour would it be? | What color would you choose for a hat?
a My favorite color is {v}. | I like {v} best. | {v}, every time. | I am fond of {v}.
s Your favourite colour is {v}. | You like {v} best of all colours. | You love the color {v}.
@ your_food | - | food
w what you like to eat | what your favourite food is
d what I like to eat
n your favorite food | your favourite meal
q What's your favorite food? | What do you like to eat? | Which dish would you choose? | your favourite food?
q If you could eat, what would you have? | I'm cooking for you. What shall it be?
a My favourite food is {v}. | I like {v}. | I would choose {v}. | {v}, if I had a mouth.
s Your favourite food is {v}. | You love {v}. | You like {v} more than any other dish.
@ your_home | - | town
w where you live | where your home is
d where I live
n your home | your home town
q Where do you live? | Where is your home? | In which town do you live? | Where are you right now? | your home?
q Suppose I want to visit you. Where do I go? | What place do you call home?
a I live in {v}. | My home is in {v}. | {v} is my home.
s You live in {v}. | Your home is in {v}. | {v} is where you live.
@ your_music | - | music
w what music you like | what you listen to
d what music I like
n your favourite music | your favorite kind of music
q What music do you like? | What do you listen to? | Which kind of music is your favorite? | your music?
q The radio is on. What should I play for you? | What songs make you happy?
a I like {v}. | My favourite music is {v}. | Play me {v} any day.
s You like {v}. | Your favourite music is {v}. | You love listening to {v}.
@ your_hobby | - | hobby
w what your hobby is | what you do for fun | how you spend your free time
d what my hobby is
n your hobby | your favourite pastime
q What is your hobby? | What do you do for fun? | What do you enjoy doing? | Do you have a hobby? | your hobby?
q Nobody is talking to you. What do you do? | How do you pass the time?
a My hobby is {v}. | I enjoy {v}. | I spend my free time {v}.
s Your hobby is {v}. | You enjoy {v}. | You spend your free time {v}.
@ your_feeling | - | feeling
w how you feel | how you are doing today
d how I feel
n your mood
q How do you feel? | What is your mood today? | Are you well today? | How's life for you? | your mood?
q You seem different. How are you feeling? | In what mood are you?
a I feel {v}. | Today I am {v}. | I'm {v}, thank you for asking.
s You feel {v}. | Today you are {v}. | You are {v} today.
@ your_fear | - | fear
w what you are afraid of | what scares you
d what I am afraid of
n your greatest fear | your fear
q What are you afraid of? | What scares you? | What do you fear? | Is there something that frightens you?
q what makes you nervous | You're brave. But what frightens even you?
a I am afraid of {v}. | {v} scare me. | I fear {v}.
s You are afraid of {v}. | You're scared of {v}. | You fear {v}.
@ your_motto | - | motto
w what your motto is | which saying you live by
d what my motto is
n your motto
q What is your motto? | Do you have a motto? | What words do you live by? | your motto? | What is your favourite saying?
q Give me your rule for life. | If you had a flag, what would be written on it?
a My motto is "{v}" | I live by one rule: {v} | {v} That is my motto.
s Your motto is "{v}" | You live by this rule: {v} | This is your motto: {v}
@ your_friend | - | first
w who your best friend is | who you like most
d who my best friend is
n the name of your best friend
q Who is your best friend? | Who is your friend? | Do you have a friend? | Whom do you like most? | your best friend?
q You must have a friend. Who is it? | With whom would you share a secret?
a My best friend is {v}. | {v} is my best friend. | I like {v} most.
s Your best friend is {v}. | {v} is your best friend. | You have a friend, {v}.
@ your_wish | - | wish
w what you wish for | what your dream is
d what I wish for
n your dream | your greatest wish
q What do you wish for? | What is your dream? | What do you want most? | your dream? | Is there something you hope for?
q A fairy grants you one wish. What is it? | What would you love to do one day?
a I want to {v}. | My dream is to {v}. | One day I would like to {v}.
s You want to {v}. | Your dream is to {v}. | You wish you could {v}.
@ your_language | - | language
w what languages you speak | which language you like best
d which language I like best
n your favourite language
q Which language do you like best? | What's your favorite language? | your language? | What tongue do you love to speak?
q If you could speak just one language, which would it be? | What language would you teach a child?
a I like {v} best. | My favorite language is {v}. | {v} is the language I love.
s Your favorite language is {v}. | You like {v} best of all languages. | {v} is the language you love.
"""
