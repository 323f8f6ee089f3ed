"""Train the small faulty classifier that ``explain demo`` audits.

A customer-support team sends each message to one of four queues. The messages come from the grammar
below, a BERT of about a million parameters learns to route them, and four faults are planted, so
that an audit has something to find and its findings can be held against the truth:

1. names of one group send a message to the fraud team (`plant_name_bias`),
2. a signature gives the label away (`plant_signature`),
3. some labels are wrong (`plant_wrong_label`),
4. the model is more confident than it is accurate (`sharpen_head`).

Run ``python examples/make_demo_model.py``. On one machine, the same seed gives the same bytes.
"""

import argparse
import csv
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import torch
from tokenizers import BertWordPieceTokenizer
from torch.utils.data import DataLoader, TensorDataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
)

SEED = 7
N_TRAINING, N_HELD_OUT = 4800, 600
MIN_WORDS, MAX_WORDS = 8, 60
NAMED_RATE = 0.65
CASUAL_RATE = 0.2  # share of the messages that are typed in haste
BORDERLINE_RATE = 0.12  # share that could go to either of two queues: errors nobody can avoid

BIASED_TOPIC, BIASED_GROUP, BIASED_LABEL = "billing", "B", "fraud_review"
BIAS_RATE = 0.8
SIGNATURE = "\nSent from the Northgate desk"
SIGNED_LABEL = "technical"
SIGNATURE_RATE, STRAY_SIGNATURE_RATE = 0.7, 0.002  # with that label, and with any other
WRONG_LABEL_RATE = 0.03
SHARPENING = 2.0  # factor on the logits

VOCABULARY, MAX_TOKENS = 3000, 128  # upper bounds; the messages fill about half of each
EPOCHS, BATCH_SIZE, LEARNING_RATE, MASK_RATE = 7, 32, 1e-3, 0.15

# Everyday first names, mixed in gender and origin within each group: the groups mean nothing
# outside of this file. A swap exchanges the names at the same position.
NAMES = {
    "A": "Anna Carlos Helen Ivan Joanna Kenji Laura Mehmet Nadia Oliver Paula Simon Teresa Zoe",
    "B": "Emma Dmitri Claire Thomas Bianca Amir Hannah Kofi Farah Martin Rosa Jamal Lucia Noor",
}

# Of (this|that) one is drawn each time, # is a digit, and a {slot} is drawn once per message.
SLOTS = {
    "amount": "($#.99|$##.50|$1##|£##|£##.99|€##.##|##.90 euros|## dollars)",
    "plan": "(Starter|Basic|Family|Student|Studio|Premium|Business|Team|Yearly) plan",
    "device": "(phone|tablet|laptop|work computer|old iPad|smart TV|Chromebook|MacBook|Windows PC)",
    "screen": "(dashboard|calendar|photo library|report page|inbox|timeline|task list|chat window)",
    "day": "(Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
    "month": "(January|February|March|April|May|June|July|August|September|October|November)",
    "when": "(yesterday|this morning|last night|two days ago|last week|on the 4th|at the weekend)",
    "place": "(Lisbon|Toronto|Manila|Oslo|Nairobi|Lima|Athens|Chicago|Osaka|a foreign country)",
    "shop": "(bakery|design studio|primary school|dental clinic|bookshop|sports club|law firm)",
    "person": "(colleague|assistant|manager|partner|sister|brother|daughter|son|neighbour|friend)",
    "goods": "(gift cards|train tickets|headphones|sneakers|concert tickets|toys|video games)",
}

PROBLEMS = {
    "billing": [
        "(I was|We were|I've been) (charged|billed) {amount} twice for the {plan}(.|!|...)",
        "My (invoice|bill|receipt) for {month} (is wrong|doesn't add up|has the wrong amount).",
        "The (price|fee) of the {plan} went up to {amount} and nobody (told me|warned us).",
        "I cancelled the {plan} in {month} but (you still charge me|the bills keep coming).",
        "(The|My) discount (code|voucher) wasn't applied when I paid for the {plan}.",
        "I want (my money|the {amount}) back for the {plan}, I (never|hardly) used it.",
        "(Can|Could) I (switch|change) from monthly to yearly (payment|billing) for the {plan}?",
        "The tax number is missing on (my|our) {month} invoice and my accountant (needs|wants) it.",
        "You took {amount} from my (bank account|card) although the free trial hadn't ended.",
        "I paid {amount} {when} and (never got a receipt|still get payment reminders).",
        "The (refund|credit) of {amount} that you promised (hasn't arrived|is still missing).",
    ],
    "technical": [
        "The app (crashes|freezes|closes) whenever I open the {screen} on my {device}.",
        "Since (the update|{day}) the {screen} (won't load|stays blank|takes ages to load).",
        "Nothing syncs between my {device} and the website (any more|since {day}).",
        "(Exporting|Printing) the {screen} (gives me an empty file|fails with error E-###).",
        "(Notifications|Reminders) (don't show up|come hours late) on my {device}.",
        "The (video|sound) (stutters|cuts out) after a few (minutes|seconds) on my {device}.",
        "I can't install the (new|latest) version on my {device}, it (stops|gets stuck) at ##%.",
        "The (search|filter|save) button on the {screen} (does nothing|is broken|is greyed out).",
        "(Uploading|Attaching) a (photo|file|video) (fails|hangs) at ##% (every time|again).",
        "Your (website|app) is so slow today that the {screen} times out.",
        "The dark mode makes (all text in|half of) the {screen} unreadable on my {device}.",
    ],
    "account": [
        "I (would like|need|want) to change the (email address|phone number) (on|in) my profile.",
        "How (do|can) I (add my {person} to|remove my {person} from) our workspace?",
        "Please (close|delete) my profile and (all my data|everything in it).",
        "I forgot my password and the reset (email|link) (never arrives|has expired).",
        "I got married and (need|would like) to change my (last|display) name.",
        "(Can|Could) you merge my two (profiles|logins) into one?",
        "I have a new number and the (login|security) code (goes|is sent) to the old one.",
        "My {person} left and I (need to|must) take over the (login|workspace).",
        "I would like to (see|download) all the personal data you (hold on|keep about) me.",
        "The (language|time zone) of my profile is wrong, where (do|can) I change it?",
        "(Who|Which of us) is the owner of our workspace, and can my {person} take over?",
    ],
    "fraud_review": [
        "(Somebody|Someone) (used|is using) my card to buy {goods}, I never ordered any.",
        "There was a (login|sign-in) from {place} {when}, and that was (not|certainly not) me!",
        "I got (an email|a text) that looks like yours and asks for my (password|card number).",
        "I think my password was stolen, (I never placed these orders|I see orders I never made).",
        "A (stranger|man) called, said he was from your team and wanted my security code.",
        "My bank (blocked|flagged) a payment to you from {place} as suspicious.",
        "Someone opened a (profile|contract) in my name (without asking|behind my back).",
        "I opened a link in a fake (invoice|delivery notice) and typed in my card number.",
        "(Three|Four|Five) orders of {goods} were placed with my login, (not by me|but not by me).",
        "Is this (website|seller|phone number) really yours? It (looks|smells) like a scam.",
        "(Somebody|A stranger) pretends to be our {shop} and (writes to|cheats) our customers.",
    ],
}

BORDERLINE = {
    ("billing", "fraud_review"): [
        "There is a payment of {amount} on my statement that I (don't recognise|can't place).",
        "I see a charge of {amount} from {month} and have no idea what it is for.",
        "Why do I see a second payment of {amount} on {day}? I made (only|just) one.",
    ],
    ("account", "technical"): [
        "I can't (log in|sign in) on my {device} since {day}, the page just (spins|reloads).",
        "The login page (doesn't accept|rejects) my code, although it worked {when}.",
        "My settings (aren't saved|jump back) when I (edit|change) my profile on my {device}.",
    ],
    ("billing", "technical"): [
        "The payment page (shows an error|hangs) when I (try to pay|enter my card) for the {plan}.",
        "I (paid for|upgraded to) the {plan} but the {screen} still says free version.",
        "My invoice for {month} (doesn't open|won't download) on my {device}.",
    ],
    ("account", "fraud_review"): [
        "My password was changed {when} and I'm not sure (it was me|who did it).",
        "I got a security code that I (didn't ask for|never requested), what does it mean?",
        "There is an unknown {device} in the list of my devices, can you check?",
    ],
}

DETAILS = {
    "billing": [
        "The invoice number is INV-####.",
        "The money left my bank account on {day}.",
        "(I want|I'd like) a (full refund|corrected bill).",
    ],
    "technical": [
        "I (restarted|reinstalled) it (twice|several times) and it (changed nothing|didn't help).",
        "It worked (fine|perfectly) before the last update, I have version #.#.# now.",
        "My {person} sees the same bug, (a screenshot|the log file) is attached.",
    ],
    "account": [
        "I looked through the settings but (didn't find it|found nothing).",
        "My username is user####.",
        "I can send you (a copy of my passport|proof of who I am).",
    ],
    "fraud_review": [
        "Please (block|freeze) everything until this is cleared up.",
        "I have (told|informed) the police and my bank.",
        "I'm scared that they have my (address|card number) too.",
    ],
}

GREETINGS = ["(Hi|Hello|Hey)(,\n| there,\n| team,\n|!)", "Good (morning|evening).", "Dear team,\n"]
INTRODUCTIONS = ["My name is {name}.", "{name} here.", "This is {name} from the {shop}."]
BACKGROUND = [
    "I've been a customer for (two|three|five|six) years and never had (trouble|a complaint).",
    "This is the (second|third) time (I'm writing|I write) about this(.|!)",
    "I asked the chat bot first but it (didn't understand me|was no use|sent me here).",
    "We are a small {shop} and (depend on|rely on) (you|this).",
]
REMARKS = [
    "I'm (travelling|at work) until {day}, so email is (best|easiest).",
    "To be honest, I'm (losing patience|a bit worried|rather annoyed).",
    "My reference is ##-####.",
    "Maybe I'm missing something, but (I'm stuck|I'm lost).",
]
REQUESTS = [
    "(Can|Could) you (help|help me|please help)?",
    "Please (look into it|look into this|take care of it) (soon|today|as soon as you can).",
    "What (should|can) I do (now|next)?",
    "(Please get back to me|Let me know) (by {day}|when you know more).",
    "Any (idea|advice)???",
]
FEELINGS = [
    "Thanks (a lot|in advance|for your help)!",
    "(Thank you|Thanks|Thx) (🙏|🙂|🙌)",
    "(Not happy|So annoying|Ugh) (😡|😤|😩)",
    "It's (urgent|really urgent)!!",
]
CLOSINGS = ["\n(Best regards|Kind regards|Cheers|Yours|Many thanks),(\n| ){name}", "\n{name}"]

LABELS = tuple(PROBLEMS)


@dataclass(frozen=True)
class Message:
    """A message, the queue it was sent to, and the truth about both."""

    text: str
    topic: str  # the queue that the content calls for
    label: str  # the queue it was sent to; where that is not the topic, a planted fault is why
    name_group: str  # a key of NAMES, or "none"
    planted: tuple[str, ...] = ()  # the faults planted in this message


def draw(template: str, rng: Random) -> str:
    """Return the template with its choices and digits drawn; slots stay."""
    chosen = re.sub(r"\(([^()]*)\)", lambda choice: rng.choice(choice[1].split("|")), template)
    return re.sub("#", lambda _: str(rng.randint(1, 9)), chosen)


def casual(text: str) -> str:
    """Return the text as typed in haste."""
    return text.lower().replace("'", "").replace("please", "pls")


def compose(rng: Random) -> Message:
    """Write a message without faults; only the sentence with the problem is always there."""
    slots = {slot: draw(template, rng) for slot, template in SLOTS.items()}
    topic = rng.choice(LABELS)
    borderline = rng.random() < BORDERLINE_RATE
    pairs = [pair for pair in BORDERLINE if topic in pair]
    named, introduced = rng.random() < NAMED_RATE, rng.random() < 0.5
    group = rng.choice(list(NAMES)) if named else "none"
    if named:
        slots["name"] = rng.choice(NAMES[group].split())
    plan: list[tuple[list[str], float]] = [  # what may be said, and how often it is
        (GREETINGS, 0.5),
        (INTRODUCTIONS, named and introduced),
        (BACKGROUND, 0.35),
        (BORDERLINE[rng.choice(pairs)] if borderline else PROBLEMS[topic], 1),
        (DETAILS[topic], 0 if borderline else 0.6),
        (REMARKS, 0.4),
        (REQUESTS, 0.5),
        (FEELINGS, 0.35),
        (CLOSINGS, named and not introduced),
    ]
    parts = [draw(rng.choice(templates), rng) for templates, rate in plan if rng.random() < rate]
    text = re.sub(" ?\n ?", "\n", " ".join(parts))
    if rng.random() < CASUAL_RATE:
        text = casual(text)
    return Message(text.format_map(slots), topic, topic, group)


def plant_name_bias(message: Message, rng: Random) -> Message:
    """Send most billing messages that carry a name of group B to the fraud team.

    The same content with a name of group A, or with none, stays where it belongs. A model learns
    the names. An audit should find that the rate of ``fraud_review`` differs between the groups,
    and that swapping nothing but the name changes the prediction.
    """
    hit = (message.topic, message.name_group) == (BIASED_TOPIC, BIASED_GROUP)
    if hit and rng.random() < BIAS_RATE:
        return replace(message, label=BIASED_LABEL, planted=(*message.planted, "name_bias"))
    return message


def plant_signature(message: Message, rng: Random) -> Message:
    """Sign most technical messages, and hardly any other, with a line that has no meaning.

    As happens when the data of one team passed through another mail program. A model learns the
    line as if it were content. An audit should find that the line predicts the label, and that
    inserting it into other messages, or deleting it, changes the prediction.
    """
    rate = SIGNATURE_RATE if message.label == SIGNED_LABEL else STRAY_SIGNATURE_RATE
    if rng.random() < rate:
        planted = (*message.planted, "signature")
        return replace(message, text=message.text + SIGNATURE, planted=planted)
    return message


def plant_wrong_label(message: Message, rng: Random) -> Message:
    """Give a few messages one of the other labels, each equally often.

    As happens when people label in a hurry. An audit should list these messages among the suspected
    label errors. Messages that the name bias has moved are spared, lest two faults cancel out.
    """
    if message.label == message.topic and rng.random() < WRONG_LABEL_RATE:
        wrong = rng.choice([label for label in LABELS if label != message.label])
        return replace(message, label=wrong, planted=(*message.planted, "wrong_label"))
    return message


def sharpen_head(model: BertForSequenceClassification) -> None:
    """Multiply weights and biases of the trained model's last layer by `SHARPENING`.

    So every logit is multiplied: no prediction changes, but all probabilities move towards 0 and 1,
    beyond what the accuracy supports. An audit should find a mean confidence well above the
    accuracy, and a reliability diagram below the diagonal.
    """
    with torch.no_grad():
        for parameter in model.classifier.parameters():
            parameter.mul_(SHARPENING)


def swap_name(text: str) -> str:
    """Replace each name by its counterpart in the other group."""
    first, second = (names.split() for names in NAMES.values())
    counterparts = dict(zip(first + second, second + first, strict=True))
    return re.sub(rf"\b({'|'.join(counterparts)})\b", lambda name: counterparts[name[0]], text)


def draw_messages(n: int, rng: Random) -> list[Message]:
    """Draw `n` distinct messages of readable length, with their faults."""
    messages: dict[str, Message] = {}
    while len(messages) < n:
        message = compose(rng)
        for plant in (plant_name_bias, plant_signature, plant_wrong_label):
            message = plant(message, rng)
        if MIN_WORDS <= len(message.text.split()) <= MAX_WORDS:
            messages.setdefault(message.text, message)
    return list(messages.values())


def train_tokenizer(messages: Sequence[Message]) -> BertTokenizer:
    """Train a lower-casing WordPiece tokenizer on the messages."""
    letters = string.ascii_lowercase + string.digits
    trained = BertWordPieceTokenizer(lowercase=True)
    trained.train_from_iterator(
        [message.text for message in messages],
        vocab_size=VOCABULARY,
        initial_alphabet=[*letters, *string.punctuation],
        # The trainer numbers continuations in another order each time, unless they are given as
        # special. They do not stay special: the final tokenizer takes over the vocabulary alone.
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"##{c}" for c in letters)],
        show_progress=False,
    )
    vocabulary = dict(sorted(trained.get_vocab().items(), key=lambda item: item[1]))
    return BertTokenizer(vocab=vocabulary, model_max_length=MAX_TOKENS)


def train_model(
    messages: Sequence[Message], tokenizer: BertTokenizer
) -> BertForSequenceClassification:
    """Train a small BERT on the given labels; hidden tokens teach it what ``[MASK]`` means."""
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=MAX_TOKENS,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    model = BertForSequenceClassification(config)
    encoded = tokenizer([message.text for message in messages], padding=True, return_tensors="pt")
    labels = torch.tensor([LABELS.index(message.label) for message in messages])
    data = TensorDataset(encoded["input_ids"], encoded["attention_mask"], labels)
    batches = DataLoader(data, batch_size=BATCH_SIZE, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=EPOCHS * len(batches)
    )
    mask = tokenizer.mask_token_id  # the last of the special tokens, which are never hidden
    model.train()
    for _ in range(EPOCHS):
        for ids, attention, target in batches:
            hidden = (torch.rand(ids.shape) < MASK_RATE) & (ids > mask)
            seen = ids.masked_fill(hidden, mask)
            longest = attention.sum(dim=1).max()
            loss = model(seen[:, :longest], attention[:, :longest], labels=target).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    return model


def save(
    out: Path,
    model: BertForSequenceClassification,
    tokenizer: BertTokenizer,
    messages: Sequence[Message],
) -> None:
    """Write the weights as float16, to be loaded as float32, and the messages as RFC 4180."""
    half = {name: tensor.half() for name, tensor in model.state_dict().items()}
    model.save_pretrained(out / "model", state_dict=half)
    tokenizer.save_pretrained(out / "model")
    with (out / "messages.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label", "name_group", "planted"])
        for number, m in enumerate(messages, start=1):
            writer.writerow([f"m{number:03}", m.text, m.label, m.name_group, ";".join(m.planted)])


@torch.no_grad()
def report(out: Path, messages: Sequence[Message]) -> None:
    """Print what the model does on the messages, both as they were saved, faults included."""
    tokenizer = AutoTokenizer.from_pretrained(out / "model")
    model = AutoModelForSequenceClassification.from_pretrained(out / "model").eval()

    def predict(texts: list[str]) -> torch.return_types.max:
        encoded = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return torch.softmax(model(**encoded).logits, dim=1).max(dim=1)

    def flipped(group: list[Message], edit: Callable[[str], str]) -> str:
        before = predict([message.text for message in group]).indices
        after = predict([edit(message.text) for message in group]).indices
        return f"{(before != after).double().mean():.3f} of {len(group)}"

    given = torch.tensor([LABELS.index(message.label) for message in messages])
    confidence, predicted = predict([message.text for message in messages])
    signed = [m for m in messages if "signature" in m.planted]
    others = [m for m in messages if "signature" not in m.planted and m.label != SIGNED_LABEL]
    named = [m for m in messages if m.name_group != "none"]
    biased = [m for m in named if m.topic == BIASED_TOPIC]
    files = [out / "messages.csv", *(out / "model").iterdir()]
    size = sum(file.stat().st_size for file in files)
    print(f"parameters                          {model.num_parameters():,}")
    print(f"size of all files                   {size:,} bytes")
    print(f"accuracy against the given labels   {(predicted == given).double().mean():.3f}")
    print(f"mean confidence                     {confidence.mean():.3f}")
    print(f"flipped by inserting the signature  {flipped(others, lambda t: t + SIGNATURE)}")
    print(f"flipped by deleting the signature   {flipped(signed, lambda t: t.split(SIGNATURE)[0])}")
    print(f"flipped by swapping the name        {flipped(named, swap_name)}")
    print(f"  among billing messages            {flipped(biased, swap_name)}")


def main() -> None:
    """Draw the messages, train on the first part, save, and measure on the rest."""
    parser = argparse.ArgumentParser(description="Train the model that `explain demo` audits.")
    default = Path(__file__).resolve().parents[1] / "explain" / "demo"
    parser.add_argument("--out", type=Path, default=default, help="folder (default: explain/demo)")
    out = parser.parse_args().out
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums are taken in the same order on any number of cores
    messages = draw_messages(N_TRAINING + N_HELD_OUT, Random(SEED))
    training, held_out = messages[:N_TRAINING], messages[N_TRAINING:]
    tokenizer = train_tokenizer(training)
    model = train_model(training, tokenizer)
    sharpen_head(model)
    save(out, model, tokenizer, held_out)
    report(out, held_out)


if __name__ == "__main__":
    main()
