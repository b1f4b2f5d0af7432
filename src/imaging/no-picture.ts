/** What a net or a model answered is no picture; the message goes on after “it”, without a full stop. The gate refuses such work. */
export class NoPicture extends Error {}
