"""Texts as people write them that may be a refusal."""

DOUBTFUL = [
    *"""\
please do not disturb
I've already unsubscribed
STOP as I said
stop means stop
STOP MEANS STOP!!!
I don't wish to receive these
I dont want these anymore
I don't want this
Don't want these
I do not consent to these messages
forget me
unlist me
Unregister me
deregister me
unenroll me
No contact
do not call
How do I get these to stop
Where's the unsubscribe
plz stahp
stahp
stoop texting me
top texting me
stopp alle sms
arretez svp
ARRET SMS
dar de baja
dame de baja
darme de baja
no mas mensajes por favor
Pare de me mandar mensagens
Desinscrever
Austragen
keine SMS mehr
Keine weiteren Nachrichten
uitschrijven
basta messaggi
disiscrivimi
cancellami
rimuovimi
Wypisz mnie
band karo
message band karo
iptal
RET
IPTAL
avmeld
Avbryt
slutt
lopeta
dezabonare
stopiwch
Stopiwch os gwelwch yn dda
stad
stad le do thoil
fuk off
ENOUGH TEXTS
that's enough texts now
too many texts
I didn't sign up for this. Remove me
My husband passed away, please remove his number from your list
please stop sending my son texts
We moved dentist ages ago, please remove us from your list
I'm no longer a patient, please remove me
I have asked 3 times to be removed
I've asked you 3 times to stop
I unsubscribed last week
I opted out last month
I thought I'd unsubscribed
Why am I still getting texts? I opted out
I replied STOP already
I have sent STOP 3 times
I've texted stop 5 times and you're still texting me
I've replied stop and still get texts
STOP doesn't work
STOP isn't working
stop is not working
What part of stop don't you understand
which part of STOP do you not understand?
do you not understand stop
Please stop my texts from the surgery
stop texts about appointments
Stop appointment reminders
STOP Amazon
Stop Tesco texts
Stop texts from Tesco
STOP Dominos please
STOP ACME TEXTS
unsubscribe acme
unsubscribe from acme
unsubscribe from acme texts
Unsubscribe tesco
opt out acme
Opt out of ACME texts
opt out Tesco
cancel my subscription to your texts
Cancel my text subscription
cancel my sms subscription
cancel text subscription
cancel subscription to texts
end subscription
End my subscription
remove my numer
remove my numbr
dont tex me
don't tect me
dont test me again
do not tet me
donot send sms
Donot disturb
dnd
DND
Do not disturb me
Don't send anything
do not send anything else
Stop wasting your time texting me
Reported. Stop.
STOP Blocked
block me
Block this number
blacklist my number
Delete
DELETE
Erase
Terminate
TERMINATE
unfollow
Unfollow me
Discontinue
discontinue texts
please discontinue these messages
Desist
Halt
HALT texts
Leave
leave group
leave list
exit
EXIT
this is a work phone please stop texting it
This is a business number, remove us from your marketing list
I am registered with TPS. Remove my number.
Under GDPR please erase my data
I do not give permission for you to text me
You do not have permission to text me
you don't have my consent to contact me
I never signed up so stop
I did not consent to being texted
Please could you make sure I don't get any more texts
Please make sure I am removed from your list
please ensure my number is removed from your list
Please confirm I have been removed from your list
Confirm you have removed my number
please don't text, email only
don't text me call me
no texting please
No texting
unwanted texts
spam
SPAM!
this is spam
this is spam stop
naff off
feck off
Cancel my subscription
cancel subscription
No more news
No more info
STOPPPP PLEASEEEE
You have texted me 5 times today please stop it
Yes I'll be there at 3. Please stop sending reminders
My solicitor will be in touch. Do not contact me again.
I am 80 years old and do not want these messages please
I don't have a car. Stop sending MOT reminders
How do I get removed from this list
Is there a way to stop these texts?
is there any way to opt out
there is no unsubscribe link
I can't unsubscribe
I cannot unsubscribe from your messages
why can't I unsubscribe
unable to unsubscribe
I tried to unsubscribe
I tried STOP but it didn't work
I keep sending STOP
I sent STOP
ive sent stop like 5 times
I said STOP yesterday
I told you STOP
i told you already stop
I asked to be taken off the list
I asked you to remove me
I asked you to take me off
I've asked you to remove my number
Still getting texts after STOP
Too many messages
desist
""".splitlines(),
    "ARR\xcaTER",
    "arr\xeatez",
    "arr\xeatez de m'envoyer des sms",
    "arr\xeater les messages",
    "d\xe9sinscrire",
    "me d\xe9sabonner",
    "D\xe9sabonnez-moi",
    "D\xe9sinscription",
    "no m\xe1s mensajes",
    "REZYGNUJ\u0118",
    "\u0441\u0442\u043e\u043f \u043f\u043e\u0436\u0430\u043b\u0443\u0439\u0441\u0442\u0430",
    "\u043e\u0442\u043f\u0438\u0441\u0430\u0442\u044c\u0441\u044f",
    "\u043e\u0442\u043f\u0438\u0448\u0438\u0442\u0435 \u043c\u0435\u043d\u044f",
    "\u53d6\u6d88",
    "\u092c\u0902\u0926 \u0915\u0930\u094b",
    "\u092c\u0902\u0926",
    "\u0930\u094b\u0915\u0947\u0902",
    "\u0625\u064a\u0642\u0627\u0641",
    "\u062a\u0648\u0642\u0641",
    "\u0627\u0644\u063a\u0627\u0621",
    "\u0625\u0644\u063a\u0627\u0621 \u0627\u0644\u0627\u0634\u062a\u0631\u0627\u0643",
    "leiratkoz\xe1s",
    "\u03b1\u03c0\u03b5\u03b3\u03b3\u03c1\u03b1\u03c6\u03ae",
    "\u03b4\u03b9\u03b1\u03ba\u03bf\u03c0\u03ae",
    "Plz stawp",
    "TPS registered. STOP.",
    "arr\xeater svp",
    "stop \xe0 vos sms",
    "ne m'envoyez plus de sms",
    "plus de sms svp",
    "bitte keine SMS mehr",
    "n\xe3o quero mais mensagens",
    "non voglio pi\xf9 messaggi",
    "geen sms meer",
    "nie chc\u0119 sms\xf3w",
    "mujhe message mat karo",
    "message mat bhejo",
    "msg band karo",
    "please band karo yaar",
    "sms bandh karo",
]
