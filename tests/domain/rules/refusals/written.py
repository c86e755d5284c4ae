"""Refusals as people write them."""

REFUSED = [
    *"""\
STOP <3
Hi there, stop
Hi there please stop texting me
Dear sirs, please stop texting me
To whom it may concern, please stop texting me
Sorry but please stop texting me
Apologies, please remove my number
thanks but no thanks, stop
Thanks but please stop texting me
Not for me thanks, stop
you've got the wrong number, stop texting me
This is not my number stop
who dis stop texting me
fuck off and stop texting me
STOP IT YOU BASTARDS
stop texting me you cunts
stop texting me you wankers
for the love of god stop texting me
would you mind not texting me
stop ringing me
Stop phoning me
quit spamming me
I said no stop
bro stop texting me
dude stop texting me
lads stop texting me
Stop full stop
STOP full stop
stop period
Stop exclamation mark
STOP!1!
STOP!!1
STOP STRAIGHT AWAY
Stop as soon as possible
stop with immediate effect
i dont want u to text me
I don't want you to text me
I withdraw consent for marketing
remove me from your contacts
erase me
no more calls
no more calls or texts
how do i get off this list
how do I get off your list
What do I do to stop these texts
Where do I unsubscribe
where can I unsubscribe?
please may I be removed from your list
I need these texts to stop
I want these texts to stop
these texts need to stop
I'd appreciate it if you stopped texting me
stop tyvm
stop plzzz
Stop this is not my number
STOP NOT ME
stop stalking me
take me of your list
take me of the list
Take me off you're list
Do nt text me
donot text me
Please stop this nonsense
I would prefer not to receive these texts
I'd prefer not to get texts
i'd rather you didn't text me
stop this bullshit
feck off and stop texting me
STOP :D
Stop xD
stop :P
Hey there, please unsubscribe me
Hello there please remove my number
STOP bro
stop texting me bruv
Stop texting me hun, wrong number
this isn't my phone. stop
Please don't phone me
please don't call or text
dnt text me
don t text me
Please may I opt out
may I unsubscribe please
For god sake STOP
stop please I beg you
I beg you to stop
""".splitlines(),
    "\ua4e2\ua4d4\ua4f3\ua4d1",
    'don"t text me',
    "RE: STOP",
    "Fwd: STOP",
    "FW: stop",
    "Subject: STOP",
    "Stop\n\n\u201cACME: Your order is ready. Reply STOP to opt out\u201d",
    'STOP\n"ACME: 20% off"',
    "stop comma please",
    "please stop texting me period",
    "stop texting me full stop thank you",
    "Stop texting me exclamation mark",
    "stop new line thank you",
    "\u0455\u0442\u03c3\u03c1",
    "\u1515TO\u146d",
    "stop stop stop I beg",
    "Cease & desist!",
    "Kindly desist from texting",
    "Plz rmv me",
    "rmv me from list",
    "pls rm me",
]
