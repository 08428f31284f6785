"""What travels: messages, codec, topics. Pure values, no I/O; imports nothing of ours."""

from contract.codec import decode, encode, peek
from contract.errors import ContractError, NewerSchemaError, TopicError
from contract.sample import Sample, sample_id_for

__all__ = ["ContractError", "NewerSchemaError", "Sample", "TopicError", "decode", "encode", "peek", "sample_id_for"]
