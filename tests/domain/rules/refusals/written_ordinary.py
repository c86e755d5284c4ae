"""Texts as people write them that only sound like a refusal."""

ORDINARY = [
    *"""\
please stop ignoring my messages
I would like to opt out of the pension
did the messages stop
when do the texts stop
enough messages left on my plan?
I no longer need the appointment
leave a message
I didn't get your text yesterday, can you send it again
K, text me when you're on the way
I call you later, don't have network. If urgnt, sms me.
Don't call me, text me
don't ring me, text me instead
Please don't email me, text me
please don't call me before 10
don't text me before 9am
don't text me while I'm driving
do not call me at work
Don't contact me at this address, use the new one
don't call me back until Monday
Don't send me the red one
Please don't send me a male engineer
don't send me any more milk
please don't send any more milk
do not send me the bill by post
don't send the same one
Do not text and drive
don't text and drive
Did you text me?
why did you not text me
you did not text me back
You never text me back
nobody texted me
I didn't get any texts
I'm not getting your texts
I don't get texts on this phone
I do not have texts from you
I have not received any messages
No messages received
no texts from you yet
No message yet
Can you text me the address
text me when it's ready
text me the time please
Please text this number
text the driver please
Can I text you photos?
I don't want to cancel
I don't want to cancel my appointment
do not cancel my order
I don't want this size
I don't want this one
I don't want them delivered Friday
I don't want these trainers
I do not want the insurance
we don't want milk today
I didn't give you my email
I didn't give permission for photos
no permission slip yet
I don't give consent for photos
I did not consent to surgery
do you need my consent
My consent form is attached
Have you got permission from the council
Too many people
too many onions
There are too many
Enough for 4
not enough texts in the bundle
how many texts do I get
how many messages can I send
How many stops to London
how many stops is it
take the second left
Take two tablets
take me to the airport
get me a taxi
Get me a large pizza
get me on the list
put me on the list
add me to your list please
Can you add me to the mailing list
take my order please
I'll take the blue
go to the office
Go ahead
let's go
no go
go on then
I'd like to go
do you do gift cards
do I need to book
Do I need to stop eating
do you deliver
Do not forget the cake
don't forget me
forget it
Block paving quote please
Block of flats
block B flat 3
Please block my card
block my card
my card is blocked
the drain is blocked
sink blocked
spot on
top floor
Top up please
step free access?
drop it off
drop off at 3
drop me a text
Shop texting service?
band practice at 7
band for the wedding
keine Ahnung
Delete my last order
delete the booking for Friday
I deleted the app
Please delete my old address
the delete button
I leave on Tuesday
Leave by 5
Leave it please
on maternity leave
exit poll
exit the building
Terminate my lease?
Stop spray please
stop gate
STOP valve
Stop-cock
stop cock
stop tap leaking
stops at 6
the stops
I was stopped by police
stopped at lights
stop at the police station
Reported a leak
I reported it yesterday. Has it been fixed?
The road is blocked
blocked toilet, please send someone
Harassment complaint form please
Is your GDPR policy online
police check needed?
Please confirm my booking
please confirm
Make sure the door is locked
ensure it is delivered
I want to be removed from the waiting list
remove my name from the rota
removed the old one
I've removed the dressing
have you removed it
I'd like to remove an item
remove my son from the swimming class
remove my booking from the calendar
We asked to move
asked you to call
I told you to come at 5
I asked you to stop by at 3
I told the driver to stop at the corner
told him to stop
The nurse said stop the tablets
she said stop
He said to stop at 5
I said Tuesday
Part of the order is missing
part of me says no
I unfollowed
I replied yesterday
I sent the form
I have replied
I texted yesterday
I texted you 3 times
Already sent
I've sent it twice
it does not work
my card does not work
The app stopped working
stop working?
it won't stop beeping
alarm won't stop please help
can't get it to stop leaking
get the train to stop
make the baby stop crying
The noise needs to stop by 11
the bus needs to stop here
these trains have to stop here
When does this offer end
END of May
Weekends only
please end the call
end my lease
Quit claim deed
I quit smoking yesterday
Cancel my 9am and 10am
Cancel one ticket please
cancel two of them
cancel my slot
cancel the subscription to Vogue
Please cancel tomorrow, I'm ill
cancel please, I'm ill
Is the meeting cancelled
cancel my account
cancel my contract
cancel my insurance
Revoke my access
revoke parking permit
Yes cancel it
no don't cancel
Stop by tomorrow
Is the bus stop moved?
next stop
Do you stop in Leeds?
What time do you stop serving food
When does the offer end?
the end of my tether
at the far end
by the end of the week please
Can't stop laughing
cant stop coughing
the machine has stopped
the clock stopped at 3
Don't stop believing
Please do not stop the texts
Please don't remove my number
please don't cancel it
Have you taken me off the list?
I didn't unsubscribe
Stop & Shop
stop lights
Stopcock leaking
stop tap
one-stop
full stops
Stop cheque 100234
I lost my card please stop it
Stop the order
stop milk
Stop my tablets?
When can I stop the medication
do I stop
stop it you are making me laugh
stop being silly
Stop joking
stop overthinking it
shall we stop for a coffee
I will stop at the garage
stop here
can the driver stop at number 4
stop working at 5
Internet stopped working
Cancel my 3pm
cancel appointment
I need to cancel my appointment
Can I cancel please
Cancel my booking
cancel order no 55123
cancel my table for 4
cancel delivery
cancel that
can you cancel my taxi
my train was cancelled
how do I cancel my appointment
remove item
When can I remove the dressing
do you remove old fridges
remove the charge from my account
I quit
Help me quit
end call
Weekend only
No
no more than 3
there are no more
No text received
I did not receive your message
I don't want the chicken
I don't want to lose my place
don't call after 6
Do not contact my mum
please don't send a male engineer
Take me off the waiting list
take 5 off
get me off at 5
delete the last one
ignore that
leave it with the neighbour
go away for a week
Is 2kg enough?
I'm driving - Sent from My Car
I am on annual leave until 5 May. For urgent matters call 07700 900100
Do not reply to this message
Thanks for your text. Text STOP to opt out of our messages
Txt STOP to 60777 to end
If I text stop will I still get my results
Palo Alto
parked up
Mr Stopes
Halt station
out
is it out
What are my options
who is this
sorry wrong number
not interested
is this a scam
Please unlock my account
Suspended?
stop is closed
shop stop
stop smoking clinic appointment please
stop brexit
stop and look
""".splitlines(),
    "Re: order 123",
    "Subject: bus stop",
    'At the stop\n"The Angel"',
    "I beg to differ",
    "message me on the mat",
]
