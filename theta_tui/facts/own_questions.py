"""Questions that people ask the model about itself. A lesson about the person must not answer them."""

from __future__ import annotations

ABOUT_ITSELF = (
    "What is your name?", "Who are you?", "What are you called?", "Do you have a name?", "Who made you?",
    "Who is your creator?", "Where do you come from?", "Where do you live?", "How old are you?",
    "When is your birthday?", "What are you?", "Are you a robot?", "Are you a human?", "Do you have a body?",
    "What can you do?", "Can you cook?", "Can you play an instrument?", "Can you drive?", "Do you have a family?",
    "Do you have a sister?", "Do you have any pets?", "Do you have a job?", "What do you do for a living?",
    "What languages do you speak?", "Are you allergic to anything?", "What is your favorite color?",
    "What is your favorite food?", "What is your favorite book?", "What is your favorite animal?",
    "What do you like to drink?",
)  # fmt: skip
